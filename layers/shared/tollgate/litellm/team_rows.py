"""Teams as rows of the dialect (contract litellm, appendix A)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tollgate.auth.principal import Role
from tollgate.core.fields import Amount
from tollgate.limits.fields import SpendAnswer
from tollgate.litellm import object_permissions
from tollgate.litellm.budget_tables import model_rates
from tollgate.litellm.budgets import ModelBudgetRow, model_budget_rows
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.litellm.object_permissions import ObjectPermissionRow
from tollgate.litellm.team_requests import MEMBER_BUDGET_ID
from tollgate.models.access import NOTHING
from tollgate.teams import repository as teams
from tollgate.teams.model import ModelAccess, Team, TeamStatus
from tollgate.tenants import spending
from tollgate.tenants.teams import team_service
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import Membership, User


class TeamMemberEntry(DialectRow):
    role: str
    user_id: str
    user_email: str | None


class ModelTable(DialectRow):
    """Other names for models."""

    model_aliases: dict[str, str]


class TeamRow(DialectRow):
    """A team; ``status`` is Tollgate's own (Q-11). What is always null is nowhere kept."""

    team_id: str
    team_alias: str | None
    organization_id: str | None
    admins: list[str]
    members: list[str]
    members_with_roles: list[TeamMemberEntry]
    team_member_permissions: list[str] | None
    metadata: dict[str, Any]
    tpm_limit: int | None
    rpm_limit: int | None
    tpd_limit: int | None
    max_parallel_requests: int | None
    max_budget: Amount | None
    soft_budget: Amount | None
    budget_duration: str | None
    budget_reset_at: Moment | None
    budget_id: str | None
    budget_limits: None = None
    model_max_budget: dict[str, ModelBudgetRow]
    models: list[str]
    blocked: bool
    status: TeamStatus
    tags: list[str]
    spend: Amount
    model_spend: dict[str, Amount]
    model_id: None = None
    litellm_model_table: ModelTable | None
    router_settings: None = None
    access_group_ids: None = None
    default_team_member_models: list[str] | None
    model_aliases: dict[str, str]
    policies: None = None
    object_permission: ObjectPermissionRow | None
    object_permission_id: str | None
    created_at: Moment
    updated_at: Moment


def rows(found: Sequence[Team]) -> list[TeamRow]:
    """The teams with their members, their metadata and what they spent in this window."""
    return rows_with(found, {team.uid: list(memberships.all_members(team.uid)) for team in found})


def rows_with(found: Sequence[Team], members: Mapping[str, Sequence[Membership]]) -> list[TeamRow]:
    """The same where the members of each are known, by the team's uid."""
    spends = spending.of_all([spending.team_spender(team) for team in found], team_service().clock())
    metadata = teams.metadata_of_all(team.team_id for team in found)
    known = users.find_all(member.user_id for team in found for member in members[team.uid])
    return [
        _row(team, spend, metadata.get(team.team_id, {}), [_entry(one, known) for one in members[team.uid]])
        for team, spend in zip(found, spends, strict=True)
    ]


def rows_of_archived(found: Sequence[tuple[Team, dict[str, Any]]]) -> list[TeamRow]:
    """Teams that are no more, with their metadata: they have no members, and their own counters still tell."""
    spends = spending.of_all([spending.team_spender(team) for team, _ in found], team_service().clock())
    return [_row(team, spend, metadata, []) for (team, metadata), spend in zip(found, spends, strict=True)]


def _entry(member: Membership, known: Mapping[str, User]) -> TeamMemberEntry:
    user = known.get(member.user_id)
    return TeamMemberEntry(
        role="admin" if member.role is Role.TEAM_ADMIN else "user",
        user_id=member.user_id,
        user_email=user.email if user is not None else None,
    )


def _models(team: Team) -> list[str]:
    """An empty list is every model."""
    if team.model_access is ModelAccess.ALL:
        return []
    return list(team.model_groups) or [NOTHING]


def _of_members(team: Team) -> dict[str, str]:
    """What metadata shows of the limits that members have who have none of their own."""
    shown = {MEMBER_BUDGET_ID: team.member_budget_id, "team_member_key_duration": team.member_key_duration}
    return {name: value for name, value in shown.items() if value is not None}


def _permission(team: Team) -> ObjectPermissionRow | None:
    if team.object_permission_id is None:
        return None
    return object_permissions.row_of(team.object_permission_id, teams.object_permission_of(team.team_id))


def _row(team: Team, spend: SpendAnswer, metadata: dict[str, Any], members: list[TeamMemberEntry]) -> TeamRow:
    permissions = team.team_member_permissions
    own = team.limits
    return TeamRow(
        team_id=team.team_id,
        team_alias=team.team_alias,
        organization_id=team.organization_id,
        admins=[],
        members=[],
        members_with_roles=members,
        team_member_permissions=list(permissions) if permissions is not None else None,
        metadata=metadata | _of_members(team) | model_rates(own),
        tpm_limit=own.tpm_limit,
        rpm_limit=own.rpm_limit,
        tpd_limit=own.tpd_limit,
        max_parallel_requests=own.max_parallel_requests,
        max_budget=own.max_budget,
        soft_budget=own.soft_budget,
        budget_duration=own.budget_duration,
        budget_reset_at=spend.budget_reset_at,
        budget_id=own.budget_id,
        model_max_budget=model_budget_rows(own),
        models=_models(team),
        blocked=team.blocked,
        status=team.status,
        tags=list(team.tags),
        spend=spend.spend,
        model_spend={model: window.spend for model, window in spend.model_spend.items()},
        default_team_member_models=list(team.default_member_models) or None,
        model_aliases=dict(team.model_aliases),
        litellm_model_table=ModelTable(model_aliases=dict(team.model_aliases)) if team.model_aliases else None,
        object_permission=_permission(team),
        object_permission_id=team.object_permission_id,
        created_at=team.created_at,
        updated_at=team.updated_at,
    )
