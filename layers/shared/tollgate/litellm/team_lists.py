"""Lists of teams in the dialect (contract litellm 1.4): bounded arrays and pages (Q-27, Q-28)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action, Owner, has_role
from tollgate.auth.principal import Principal
from tollgate.core.pagination import MAX_CANDIDATES
from tollgate.keys import repository as keys
from tollgate.keys.model import KeyStatus
from tollgate.limits.model import Scope
from tollgate.litellm import team_rows
from tollgate.litellm.api import role_of
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.key_rows import KeyRow
from tollgate.litellm.team_members import TeamMembershipRow
from tollgate.litellm.team_rows import TeamRow
from tollgate.litellm.teams import of_team
from tollgate.organizations import repository as organizations
from tollgate.teams import repository as teams
from tollgate.teams.model import Team
from tollgate.users import memberships
from tollgate.users import repository as users

# The filter for teams that have no organization.
NO_ORGANIZATION = "default_organization"


class ListedTeam(TeamRow):
    team_memberships: list[TeamMembershipRow]
    keys: list[KeyRow]


class CountedTeam(TeamRow):
    members_count: int
    keys_count: int


class TeamPage(DialectRow):
    teams: list[CountedTeam]
    total: int
    page: int
    page_size: int
    total_pages: int


class TeamQuery(BaseModel):
    """``team_alias`` and ``search`` are parts of a name, whatever their case (Q-28)."""

    page: Annotated[int, Field(ge=1)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    user_id: Annotated[str | None, Field(max_length=256)] = None
    organization_id: Annotated[str | None, Field(max_length=256)] = None
    team_id: Annotated[str | None, Field(max_length=256)] = None
    team_alias: Annotated[str | None, Field(max_length=500)] = None
    search: Annotated[str | None, Field(max_length=500)] = None
    sort_by: Literal["team_id", "team_alias", "created_at"] | None = None
    sort_order: Literal["asc", "desc"] = "asc"

    @property
    def plain(self) -> bool:
        """Whether the table's own order and number are what is asked for."""
        filtered = self.user_id or self.team_id or self.team_alias or self.search
        return not filtered and (self.sort_by is None or (self.sort_by == "created_at" and self.sort_order == "desc"))


def listed(caller: Principal, user_id: str | None, organization_id: str | None) -> list[ListedTeam]:
    """Teams by alias, with their keys and members: at most 10,000 are looked at."""
    found = sorted(islice(_seen(caller, user_id, organization_id), MAX_CANDIDATES), key=_by_alias)
    infos = (of_team(team) for team in found)
    return [ListedTeam(**dict(one.team_info), team_memberships=one.team_memberships, keys=one.keys) for one in infos]


def page(caller: Principal, query: TeamQuery) -> TeamPage:
    """A page, newest first unless another order is asked for."""
    first = (query.page - 1) * query.page_size
    seen = _seen(caller, query.user_id, query.organization_id)
    if query.plain:
        total = _count(query.organization_id)
        last = min(first + query.page_size, MAX_CANDIDATES)
        shown = list(islice(seen, min(first, last), last))
    else:
        found = [team for team in islice(seen, MAX_CANDIDATES) if _matches(team, query)]
        total = len(found)
        shown = _sorted(found, query)[first : first + query.page_size]
    return TeamPage(
        teams=[_counted(team, row) for team, row in zip(shown, team_rows.rows(shown), strict=True)],
        total=total,
        page=query.page,
        page_size=query.page_size,
        total_pages=-(-total // query.page_size),
    )


def _seen(caller: Principal, user_id: str | None, organization_id: str | None) -> Iterator[Team]:
    """The narrowest list that has what is asked for, if the caller may see it; newest first."""
    found: Iterator[Team]
    if user_id is not None and (user_id == caller.user_id or has_role(caller, Action.TEAM_LIST, Owner())):
        found = _of_user(user_id, organization_id)
    elif user_id is not None or not has_role(caller, Action.TEAM_LIST, Owner(_real(organization_id))):
        message = f"Only admin users can query all teams/other teams. Your user role={role_of(caller)}"
        raise DialectError(401, message, quoted=True)
    elif organization_id is None:
        found = teams.every()
    else:
        found = _of_organization(organization_id)
    return (team for team in found if not team.deleting)


def _real(organization_id: str | None) -> str | None:
    return None if organization_id == NO_ORGANIZATION else organization_id


def _of_organization(organization_id: str) -> Iterator[Team]:
    if organization_id == NO_ORGANIZATION:
        return teams.all_of_organization(None, newest_first=True)
    organization = organizations.find(organization_id)
    return teams.all_of_organization(organization.uid, newest_first=True) if organization is not None else iter(())


def _of_user(user_id: str, organization_id: str | None) -> Iterator[Team]:
    user = users.find(user_id)
    own = memberships.all_of_user(user.uid) if user is not None else iter(())
    for membership in own:
        team = teams.find(membership.owner_id) if membership.scope is Scope.TEAM_MEMBER else None
        if team is None or team.uid != membership.owner_uid:
            continue
        if organization_id is None or team.organization_id == _real(organization_id):
            yield team


def _count(organization_id: str | None) -> int:
    """How many there are: an organization knows; others are counted, up to a bound."""
    if organization_id is None:
        return teams.count_all(MAX_CANDIDATES)
    if organization_id == NO_ORGANIZATION:
        return teams.count(None, MAX_CANDIDATES)
    organization = organizations.find(organization_id)
    return organization.team_count if organization is not None else 0


def _matches(team: Team, query: TeamQuery) -> bool:
    alias = (team.team_alias or "").casefold()
    named = (query.search or "").casefold()
    return (
        query.team_id in {None, team.team_id}
        and (query.team_alias or "").casefold() in alias
        and (named in alias or named in team.team_id.casefold())
    )


def _sorted(found: list[Team], query: TeamQuery) -> list[Team]:
    if query.sort_by is None:
        return found
    name = query.sort_by
    falling = query.sort_order == "desc"
    if name == "team_alias":
        return sorted(found, key=_by_alias, reverse=falling)
    return sorted(found, key=lambda team: (getattr(team, name), team.team_id), reverse=falling)


def _by_alias(team: Team) -> tuple[str, str]:
    return (team.team_alias or "").casefold(), team.team_id


def _counted(team: Team, row: TeamRow) -> CountedTeam:
    active = sum(key.status is KeyStatus.ACTIVE for key in keys.all_of_team(team.uid))
    return CountedTeam(**dict(row), members_count=len(row.members_with_roles), keys_count=active)
