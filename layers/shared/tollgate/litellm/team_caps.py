"""What a team may be given at most: never more than its organization has (contract litellm 1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tollgate.limits import repository as limits
from tollgate.limits.model import NO_LIMITS, Limits
from tollgate.litellm.errors import DialectError
from tollgate.litellm.team_requests import CreateTeamRow, PatchTeamRow
from tollgate.models.access import EVERYTHING, NOTHING
from tollgate.organizations.model import Organization
from tollgate.teams.model import ModelAccess, Team

_BUDGETS = {"max_budget", "soft_budget"}


def check(
    organization: Organization | None,
    request: CreateTeamRow | PatchTeamRow,
    team: Team | None,
    *,
    moves: bool = False,
) -> None:
    """Raises the contract's 400 for a setting that is beyond the organization's; ``team`` None: it is being made.

    Of a team that ``moves`` into the organization everything that it has is looked at, else what was sent.
    """
    _check_soft_budget(request, team)
    if organization is None:
        return
    own = _limits(request, team)
    for name in ("max_budget", "tpm_limit", "rpm_limit"):
        wanted, most = getattr(own, name), getattr(organization.limits, name)
        is_new = moves or request.model_fields_set & {name, "budget_id"}
        if is_new and wanted is not None and most is not None and wanted > most:
            message = f"Team {name} ({wanted}) exceeds organization's {name} ({most})."
            raise DialectError(400, f"{message} Organization: {organization.organization_id}", quoted=True)
    kept = team.model_groups if moves and team is not None and team.model_access is ModelAccess.LISTED else ()
    check_models(organization, request.models or [] if "models" in request.model_fields_set else kept)


def _limits(request: CreateTeamRow | PatchTeamRow, team: Team | None) -> Limits:
    """What the team would be limited by, a shared row included (Q-52)."""
    own = replace(team.limits if team is not None else NO_LIMITS, **request.limits_sent())
    return own.over(limits.shared(own.budget_id))


def check_models(organization: Organization | None, models: Sequence[str]) -> None:
    """An organization that lists its models has teams that list those only (Q-23)."""
    if organization is None or organization.models is None or EVERYTHING & set(organization.models):
        return
    for name in models:
        if name != NOTHING and name not in organization.models:
            message = f"Model '{name}' not in organization's allowed models. Allowed: {list(organization.models)}."
            raise DialectError(400, f"{message} Organization: {organization.organization_id}", quoted=True)


def _check_soft_budget(request: CreateTeamRow | PatchTeamRow, team: Team | None) -> None:
    if not request.model_fields_set & _BUDGETS:
        return
    soft, most = (
        getattr(request if name in request.model_fields_set or team is None else team.limits, name)
        for name in ("soft_budget", "max_budget")
    )
    if soft is not None and most is not None and soft >= most:
        raise DialectError(400, f"soft_budget ({soft}) must be lower than max_budget ({most})", quoted=True)
