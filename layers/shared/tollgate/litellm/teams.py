"""Teams in the dialect (contract litellm 1.4): the same ones as ``/api/teams``."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from uuid import uuid4

from tollgate.auth.policy import Action, Owner, authorize, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import AlreadyExistsError, ForbiddenError, NotFoundError
from tollgate.keys import repository as keys
from tollgate.keys.model import KeyStatus
from tollgate.litellm import key_rows, team_caps, team_members, team_rows
from tollgate.litellm.api import not_allowed
from tollgate.litellm.budgets import BudgetRow
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.key_rows import KeyRow
from tollgate.litellm.reached_teams import reached
from tollgate.litellm.team_members import TeamMembershipRow
from tollgate.litellm.team_requests import (
    CreateTeamRow,
    NewTeamMember,
    PatchTeamRow,
    TeamIds,
    TeamModels,
    TeamPermissions,
    UpdateTeamRow,
)
from tollgate.litellm.team_rows import TeamRow
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.teams import repository as teams
from tollgate.teams.access import reachable
from tollgate.teams.model import Team, UpdateTeam
from tollgate.teams.permissions import BASELINE, GRANTABLE
from tollgate.tenants import model_access, moving, new_teams
from tollgate.tenants.model_access import Access
from tollgate.tenants.offboarding import offboarding_service
from tollgate.tenants.teams import action_of, team_service
from tollgate.users import memberships

_MOST_KEYS = 10_000


class TeamUpdated(DialectRow):
    team_id: str
    data: TeamRow


class TeamsDeleted(DialectRow):
    deleted_teams: list[str]


class TeamInfoRow(TeamRow):
    """The row with what limits members who have no limits of their own."""

    team_member_budget_table: BudgetRow | None


class TeamInfo(DialectRow):
    """A team with its keys, whose hashes are not shown, and with what its members may use and have used."""

    team_id: str
    team_info: TeamInfoRow
    keys: list[KeyRow]
    team_memberships: list[TeamMembershipRow]


class PermissionsOfTeam(DialectRow):
    team_id: str
    team_member_permissions: list[str]
    all_available_permissions: list[str]


def new(caller: Principal, request: CreateTeamRow) -> TeamRow:
    """A new team, the platform's if it has no organization (Q-03). An id that is taken is 400."""
    team = request.team(request.team_id or str(uuid4()))
    organization = _organization(caller, team.organization_id)
    team_caps.check(organization, request, None)
    access = model_access.of_entries(request.models or [])
    try:
        made = new_teams.made(caller, team, team_service().clock, access, bare=True)
    except AlreadyExistsError as error:
        if error.stable_code != "team_exists":
            raise
        message = f"Team id = {team.team_id} already exists. Please use a different team id."
        raise DialectError(400, message, quoted=True) from None
    team_members.found(caller, made.team, _first_members(caller, request))
    return _row(team.team_id)


def update(caller: Principal, request: UpdateTeamRow) -> TeamUpdated:
    """Changes the fields that were sent."""
    return TeamUpdated(team_id=request.team_id, data=patch(caller, request.team_id, request, "/team/update"))


def patch(caller: Principal, team_id: str, request: PatchTeamRow, route: str) -> TeamRow:
    """The same, the answer being the row alone."""
    team = reached(caller, team_id, Action.TEAM_ADMINISTER, route)
    _check_fields(caller, team, request, route)
    to = _place(caller, team, request, route)
    team_caps.check(to.organization if to is not None else _organization_of(team), request, team, moves=to is not None)
    access = None
    if "models" in request.model_fields_set:
        wanted = model_access.of_entries(request.models or [])
        access = _replaced_by(wanted)
    team_service().change(caller, team_id, request.change(), access, to)
    return _row(team_id)


def _check_fields(caller: Principal, team: Team, request: PatchTeamRow, route: str) -> None:
    """A team's own admins change its name and what members get; the fields beyond that are named."""
    elsewhere = {"organization_id", "models"} & request.model_fields_set
    action = Action.TEAM_UPDATE if elsewhere else action_of(request.change())
    if not has_role(caller, action, Owner(team.organization_id, team.team_id)):
        own = {"team_id", "team_alias", "metadata", "default_team_member_models"}
        names = sorted(n for n in request.model_fields_set - own if not n.startswith("team_member_"))
        message = f"Call not allowed. Not for team admins: {', '.join(names)}. route={route}, team_id={team.team_id}"
        raise DialectError(403, message, quoted=True)


def _organization_of(team: Team) -> Organization | None:
    return organizations.find(team.organization_id) if team.organization_id is not None else None


def _place(caller: Principal, team: Team, request: PatchTeamRow, route: str) -> moving.Place | None:
    """Where the team is to go, if it is to go anywhere; null and ``""`` detach it (Q-25)."""
    wanted = request.organization_id or None
    if "organization_id" not in request.model_fields_set or wanted == team.organization_id:
        return None
    try:
        return moving.place(caller, wanted)
    except (NotFoundError, ForbiddenError):
        if wanted is not None and caller.platform_role is not None:
            message = f"Organization not found for organization_id={wanted}"
            raise DialectError(400, message, quoted=True) from None
        message = f"You may not move team={team.team_id} to organization={wanted}. route={route}"
        raise DialectError(403, message, quoted=True) from None


def delete(caller: Principal, request: TeamIds) -> TeamsDeleted:
    """Deletes teams with their keys, or none if one is unknown."""
    names = list(dict.fromkeys(request.team_ids))
    for team_id in names:
        reached(caller, team_id, Action.TEAM_DELETE, "/team/delete")
    offboarding_service().delete_teams(caller, names)
    return TeamsDeleted(deleted_teams=names)


def info(caller: Principal, team_id: str, key_limit: int | None) -> TeamInfo:
    """A team as its members see it."""
    try:
        team = reachable(caller, team_id, Action.TEAM_READ)
    except (NotFoundError, ForbiddenError):
        if caller.platform_role is not None:
            raise DialectError(404, f"{{'message': 'Team not found, passed team id: {team_id}.'}}") from None
        message = f"User={caller.user_id} not authorized to access this team={team_id}"
        raise DialectError(403, message) from None
    return of_team(team, key_limit)


def of_team(team: Team, key_limit: int | None = None) -> TeamInfo:
    members = list(memberships.all_members(team.uid))
    active = (key for key in keys.all_of_team(team.uid) if key.status is KeyStatus.ACTIVE)
    shown = key_rows.fields(list(islice(active, key_limit if key_limit is not None else _MOST_KEYS)))
    return TeamInfo(
        team_id=team.team_id,
        team_info=TeamInfoRow(
            **dict(team_rows.rows_with([team], {team.uid: members})[0]),
            team_member_budget_table=team_members.default_table(team),
        ),
        keys=[KeyRow.model_validate(key) for key in shown],
        team_memberships=team_members.rows(team, members),
    )


def set_blocked(caller: Principal, team_id: str, *, blocked: bool) -> TeamRow:
    """Blocks or unblocks; it counts on the very next call, and never resumes what is suspended (Q-11)."""
    reached(caller, team_id, Action.TEAM_UPDATE, "/team/block" if blocked else "/team/unblock")
    team_service().change(caller, team_id, UpdateTeam(blocked=blocked))
    return _row(team_id)


def add_models(caller: Principal, request: TeamModels) -> TeamRow:
    """More models; where every model was open, it stays so."""
    team = reached(caller, request.team_id, Action.TEAM_UPDATE, "/team/model/add")
    team_caps.check_models(_organization_of(team), request.models)

    def more(held: Access) -> Access:
        before = ["all-proxy-models"] if held.everything else [*held.groups, *held.models]
        return model_access.of_entries(list(dict.fromkeys([*before, *request.models])))

    team_service().change(caller, request.team_id, UpdateTeam(), more)
    return _row(request.team_id)


def delete_models(caller: Principal, request: TeamModels) -> TeamRow:
    """Fewer models; a team that loses its last one may use none."""
    reached(caller, request.team_id, Action.TEAM_UPDATE, "/team/model/delete")
    gone = set(request.models)

    def fewer(held: Access) -> Access:
        kept = [tuple(entry for entry in entries if entry not in gone) for entries in (held.groups, held.models)]
        return replace(held, groups=kept[0], models=kept[1])

    team_service().change(caller, request.team_id, UpdateTeam(), fewer)
    return _row(request.team_id)


def permissions(caller: Principal, team_id: str) -> PermissionsOfTeam:
    """What members may do with the team's keys, and what they could be allowed."""
    team = reached(caller, team_id, Action.MEMBER_READ, "/team/permissions_list")
    return PermissionsOfTeam(
        team_id=team_id,
        team_member_permissions=list(team.team_member_permissions or ()),
        all_available_permissions=[*BASELINE, *GRANTABLE],
    )


def set_permissions(caller: Principal, request: TeamPermissions) -> TeamRow:
    """Says what members may do with the team's keys."""
    reached(caller, request.team_id, Action.MEMBER_WRITE, "/team/permissions_update")
    change = UpdateTeam(team_member_permissions=request.team_member_permissions)
    team_service().change(caller, request.team_id, change)
    return _row(request.team_id)


def _row(team_id: str) -> TeamRow:
    team = teams.find(team_id)
    if team is None:
        raise DialectError(404, f"Team not found, passed team_id={team_id}", quoted=True)
    return team_rows.rows([team])[0]


def _replaced_by(wanted: Access) -> model_access.Change:
    return lambda _: wanted


def _organization(caller: Principal, organization_id: str | None) -> Organization | None:
    """Where a team is to be made; the contract's refusal for those who may not make one there."""
    try:
        authorize(caller, Action.TEAM_CREATE, Owner(organization_id))
    except (NotFoundError, ForbiddenError):
        raise not_allowed(caller, "/team/new") from None
    if organization_id is None:
        return None
    organization = organizations.find(organization_id)
    if organization is None or organization.deleting:
        message = f"Organization not found for organization_id={organization_id}"
        raise DialectError(400, message, quoted=True)
    return organization


def _first_members(caller: Principal, request: CreateTeamRow) -> list[NewTeamMember]:
    """Whoever makes the team administers it; the master key is nobody's."""
    wanted = {member.user_id or member.user_email: member for member in request.members_with_roles}
    if caller.user_id is not None:
        wanted.setdefault(caller.user_id, NewTeamMember(role="admin", user_id=caller.user_id))
    return list(wanted.values())
