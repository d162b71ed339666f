"""Lists of teams in the dialect (contract litellm 1.4): bounded arrays and pages (Q-27, Q-28)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action, Owner, has_role
from tollgate.auth.principal import Principal
from tollgate.core.numbered import NumberedPages
from tollgate.core.pagination import MAX_CANDIDATES, Page, PageRequest
from tollgate.deletions import repository as deletions
from tollgate.keys import repository as keys
from tollgate.limits.model import Scope
from tollgate.litellm import team_members, team_rows
from tollgate.litellm.api import role_of
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.key_rows import KeyRow, fields
from tollgate.litellm.team_members import TeamMembershipRow
from tollgate.litellm.team_rows import TeamRow
from tollgate.organizations import repository as organizations
from tollgate.settings import settings
from tollgate.table.totals import Total
from tollgate.teams import repository as teams
from tollgate.teams.model import Team, TeamStatus
from tollgate.users import memberships
from tollgate.users import repository as users

# The filter for teams that have no organization.
NO_ORGANIZATION = "default_organization"
# A list without pages ends somewhere.
_MOST = 1_000
_MOST_KEYS = 100
PAGES = NumberedPages()


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
    status: Literal["deleted"] | None = None

    @property
    def plain(self) -> bool:
        """Whether the table's own order and number are what is asked for."""
        filtered = self.user_id or self.team_id or self.team_alias or self.search
        return not filtered and (self.sort_by is None or (self.sort_by == "created_at" and self.sort_order == "desc"))


def listed(caller: Principal, user_id: str | None, organization_id: str | None) -> list[ListedTeam]:
    """The newest 1,000 teams by alias, with their members and each with its newest 100 keys; ``page`` has them all."""
    found = sorted(islice(_seen(caller, user_id, organization_id), _MOST), key=_by_alias)
    members = {team.uid: list(memberships.all_members(team.uid)) for team in found}
    own_keys = [list(islice(keys.ActiveOfTeam(team.uid).all(), _MOST_KEYS)) for team in found]
    key_rows = iter(fields(list(chain.from_iterable(own_keys))))
    memberships_of_all = team_members.rows_of_all([(team, members[team.uid]) for team in found])
    rows = team_rows.rows_with(found, members)
    return [
        ListedTeam(
            **dict(row), team_memberships=own, keys=[KeyRow.model_validate(next(key_rows)) for _ in keys_of_team]
        )
        for row, own, keys_of_team in zip(rows, memberships_of_all, own_keys, strict=True)
    ]


def available(caller: Principal) -> list[TeamRow]:
    """The teams that the caller could join by himself."""
    own = {team_id for team_id, _ in caller.team_roles}
    found = teams.find_all(team_id for team_id in settings().available_teams if team_id not in own)
    return team_rows.rows(sorted((team for team in found.values() if not team.deleting), key=_by_alias))


def page(caller: Principal, query: TeamQuery) -> TeamPage:
    """A page, newest first unless another order is asked for; of deleted teams the last deleted first."""
    if query.status is not None:
        return _deleted(caller, query)
    seen = _seen(caller, query.user_id, query.organization_id)
    if query.plain:
        total, shown = _page(query)
    else:
        found = [team for team in islice(seen, MAX_CANDIDATES) if _matches(team, query)]
        first = (query.page - 1) * query.page_size
        total, shown = len(found), _sorted(found, query)[first : first + query.page_size]
    return _of(query, total, [_counted(team, row) for team, row in zip(shown, team_rows.rows(shown), strict=True)])


def _of(query: TeamQuery, total: int, shown: list[CountedTeam]) -> TeamPage:
    return TeamPage(
        teams=shown,
        total=total,
        page=query.page,
        page_size=query.page_size,
        total_pages=-(-total // query.page_size),
    )


def _deleted(caller: Principal, query: TeamQuery) -> TeamPage:
    """What was archived of teams that are no more: the platform's to see (Q-21)."""
    if not has_role(caller, Action.ARCHIVE_READ, Owner()):
        message = f"Only admin users can query deleted teams. Your user role={role_of(caller)}"
        raise DialectError(401, message, quoted=True)
    gone = list(islice(deletions.every_team(), MAX_CANDIDATES))
    copies = teams.archived(one.uid for one in gone)
    kept = {
        one.uid: replace(copies[one.uid][0], status=TeamStatus(one.status), object_permission_id=None)
        for one in gone
        if one.uid in copies and not query.user_id and query.organization_id in {None, one.organization_id}
    }
    found = [team for team in kept.values() if _matches(team, query)]
    first = (query.page - 1) * query.page_size
    shown = [(team, copies[team.uid][1]) for team in _sorted(found, query)[first : first + query.page_size]]
    rows = team_rows.rows_of_archived(shown)
    return _of(query, len(found), [CountedTeam(**dict(row), members_count=0, keys_count=0) for row in rows])


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


def _page(query: TeamQuery) -> tuple[int, list[Team]]:
    """How many there are, which is counted where teams are made, and those of the page."""
    name = query.organization_id
    read: Callable[[PageRequest], Page[Team]] = teams.search
    if name is None:
        total = teams.total()
    elif name == NO_ORGANIZATION:
        total, read = teams.total_without_organization(), partial(teams.search_organization, None)
    else:
        organization = organizations.find(name)
        if organization is None:
            return 0, []
        total = Total(organization.team_count, organization.team_count)
        name, read = organization.uid, partial(teams.search_organization, organization.uid)
    if (query.page - 1) * query.page_size >= total.number:
        return total.number, []
    return total.number, PAGES.entries(read, (name, total.moves), query.page, query.page_size)


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
    active = keys.ActiveOfTeam(team.uid).total().number
    return CountedTeam(**dict(row), members_count=len(row.members_with_roles), keys_count=active)
