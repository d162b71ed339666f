"""What a team may be given at most: never more than its organization has (contract litellm 1.4)."""

from __future__ import annotations

from collections.abc import Sequence

from tollgate.litellm.errors import DialectError
from tollgate.litellm.team_requests import CreateTeamRow, PatchTeamRow
from tollgate.models.access import EVERYTHING, NOTHING
from tollgate.organizations.model import Organization
from tollgate.teams.model import Team

_BUDGETS = {"max_budget", "soft_budget"}


def check(organization: Organization | None, request: CreateTeamRow | PatchTeamRow, team: Team | None) -> None:
    """Raises the contract's 400 for a setting that is beyond the organization's; ``team`` None: it is being made."""
    sent = request.model_fields_set
    _check_soft_budget(request, team)
    if organization is None:
        return
    for name in ("max_budget", "tpm_limit", "rpm_limit"):
        wanted, most = getattr(request, name), getattr(organization.limits, name)
        if name in sent and wanted is not None and most is not None and wanted > most:
            message = f"Team {name} ({wanted}) exceeds organization's {name} ({most})."
            raise DialectError(400, f"{message} Organization: {organization.organization_id}", quoted=True)
    check_models(organization, request.models or [])


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
