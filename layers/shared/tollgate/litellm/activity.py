"""Daily activity of users, teams, organizations and customers (contract litellm 1.3 to 1.5, 1.9, 2.4; Q-34, Q-47).

It costs the usage buckets of the days, never the calls. Who manages a team or an organization sees all of it, a member
what was called in his own name there. The breakdown by key is of the newest 1,000 keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, islice
from typing import Annotated, Any

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action, Owner, authorize, has_role
from tollgate.auth.principal import Principal, Role
from tollgate.core import clock
from tollgate.customers import repository as customers
from tollgate.keys import repository as virtual_keys
from tollgate.keys.access import caller_as_user, is_of
from tollgate.keys.model import VirtualKey
from tollgate.litellm.activity_rows import Activity, NameOf, SpendAnalytics, analytics
from tollgate.litellm.errors import DialectError
from tollgate.litellm.key_requests import id_of
from tollgate.litellm.spend_scope import MOST_KEYS, every_key, sees_all
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.table import keys
from tollgate.teams import repository as teams
from tollgate.teams.model import Team
from tollgate.usage import daily
from tollgate.usage.daily import Part
from tollgate.usage.model import Days, days_between

# Names that one request may ask for, and customers that are looked at where none is named.
MOST_NAMES = 1_000
_UTC = frozenset({"UTC", "Etc/UTC", "0"})
_Text = Annotated[str | None, Field(max_length=1024)]
_Names = Annotated[str | None, Field(max_length=65_536, description="ids, with commas between them")]
_Size = Annotated[int, Field(ge=1, le=1000, description="days on a page")]


class ActivityQuery(BaseModel):
    """Query of all of them. Days are UTC; ``timezone`` says so or is left out (Q-34)."""

    start_date: date | None = None
    end_date: date | None = None
    model: _Text = None
    api_key: _Text = None
    timezone: _Text = None
    page: Annotated[int, Field(ge=1)] = 1
    page_size: _Size = 10

    def days(self) -> Days:
        """Raises DialectError 400 where there are none, and InvalidRequestError for more than a year."""
        if self.start_date is None or self.end_date is None:
            raise DialectError(400, "Please provide start_date and end_date", quoted=True)
        if self.timezone is not None and self.timezone not in _UTC:
            raise DialectError(400, "timezone must be UTC", quoted=True)
        return days_between(self.start_date, self.end_date)


class UserActivityQuery(ActivityQuery):
    user_id: _Text = None
    page_size: _Size = 50


class TeamActivityQuery(ActivityQuery):
    team_ids: _Names = None
    exclude_team_ids: _Names = None


class OrganizationActivityQuery(ActivityQuery):
    organization_ids: _Names = None
    exclude_organization_ids: _Names = None


class CustomerActivityQuery(ActivityQuery):
    end_user_ids: _Names = None
    exclude_end_user_ids: _Names = None


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is asked for: its parts, the keys that can have made the calls, and which of their parts belong to it."""

    parts: list[Part]
    keys: Iterable[VirtualKey] = ()
    within: Callable[[Part], bool] = lambda _: True
    entity_of: NameOf = lambda _: None
    entities: dict[str, dict[str, Any]] = field(default_factory=dict)


def of_user(caller: Principal, query: UserActivityQuery) -> SpendAnalytics:
    """A user's activity: for the platform's people anybody's or everybody's, for others their own."""
    days = query.days()
    if sees_all(caller):
        return _shown(_of_user(query.user_id, days) if query.user_id else _of_everybody(days), query, days)
    if query.user_id not in {None, "", caller.user_id}:
        raise DialectError(403, "Non-admin users can only view their own spend data", quoted=True)
    return _shown(_own(caller, days, lambda _: True, lambda _: caller.user_id), query, days)


def of_teams(caller: Principal, query: TeamActivityQuery) -> SpendAnalytics:
    """Activity of the named teams; without names of all that the caller sees, or is in."""
    days = query.days()
    excluded = set(_split(query.exclude_team_ids))
    names = _split(query.team_ids)
    if not sees_all(caller):
        roles = [team_id for team_id, role in caller.team_roles if role is not Role.TEAM_KEY]
        names = names or list(dict.fromkeys(roles))
    elif not names:
        return _shown(_of_all(days, lambda part: part.team_id, excluded, _team_labels), query, days)
    found = teams.find_all(names)
    managed, joined = [], []
    for team_id in names:
        team = found.get(team_id)
        if team is not None and has_role(caller, Action.KEY_LIST, _owner(team)):
            managed.append(team)
        elif team is not None and has_role(caller, Action.KEY_READ, _owner(team)):
            joined.append(team)
        elif not sees_all(caller):
            message = f"User does not belong to Team= {team_id}. Call `/user/info` to see user's teams"
            raise DialectError(404, message, quoted=True)
    wanted = [team for team in managed if team.team_id not in excluded]
    own = {team.uid for team in joined if team.team_id not in excluded}
    scope = _of_teams(wanted, days)
    if own:
        scope = _both(scope, _own(caller, days, lambda part: part.owner_uid in own, lambda part: part.team_id))
    scope.entities.update(_team_labels(found))
    return _shown(scope, query, days)


def of_organizations(caller: Principal, query: OrganizationActivityQuery) -> SpendAnalytics:
    """Activity of the named organizations; without names of all that the caller sees, or is in."""
    days = query.days()
    excluded = set(_split(query.exclude_organization_ids))
    names = _split(query.organization_ids)
    if not sees_all(caller):
        names = names or list(dict.fromkeys(organization_id for organization_id, _ in caller.organization_roles))
    elif not names:
        return _shown(_of_all(days, lambda part: part.organization_id, excluded, _organization_labels), query, days)
    managed, joined = [], []
    for organization_id in names:
        organization = organizations.find(organization_id)
        if organization is not None and has_role(caller, Action.USAGE_READ_ORGANIZATION, Owner(organization_id)):
            managed.append(organization)
        elif organization is not None and has_role(caller, Action.ORGANIZATION_READ_OWN, Owner(organization_id)):
            joined.append(organization)
        elif not sees_all(caller):
            raise DialectError(403, "You do not have access to this organization", quoted=True)
    wanted = [one for one in managed if one.organization_id not in excluded]
    own = {one.uid for one in joined if one.organization_id not in excluded}
    scope = _of_organizations(wanted, days)
    if own:
        mine = _own(caller, days, lambda part: part.organization_uid in own, lambda part: part.organization_id)
        scope = _both(scope, mine)
    scope.entities.update({one.organization_id: _organization_label(one) for one in (*managed, *joined)})
    return _shown(scope, query, days)


def of_customers(caller: Principal, query: CustomerActivityQuery) -> SpendAnalytics:
    """Activity under the ids of customers; without names of those of whom something was said (Q-53)."""
    authorize(caller, Action.USAGE_READ_PLATFORM)
    days = query.days()
    if query.api_key:
        raise DialectError(400, "What customers use is not told apart by key", quoted=True)
    excluded = set(_split(query.exclude_end_user_ids))
    known = (customer.customer_id for customer in islice(customers.every(), MOST_NAMES))
    names = [name for name in _split(query.end_user_ids) or known if name not in excluded]
    parts = daily.of_scopes(keys.USAGE_CUSTOMER, names, days.first, days.last)
    return _shown(_Scope(parts, entity_of=lambda part: part.name), query, days)


def _shown(scope: _Scope, query: ActivityQuery, days: Days) -> SpendAnalytics:
    """The answer; of one key if it is named."""
    found = (
        list(virtual_keys.find_all([id_of(query.api_key)])) if query.api_key else list(islice(scope.keys, MOST_KEYS))
    )
    names = [id_of(query.api_key)] if query.api_key else [key.key_id for key in found]
    keyed = [part for part in daily.of_scopes(keys.USAGE_KEY, names, days.first, days.last) if scope.within(part)]
    activity = Activity(
        parts=keyed if query.api_key else scope.parts,
        keyed=keyed,
        entity_of=scope.entity_of,
        entities=scope.entities,
        keys={key.key_id: {"key_alias": key.key_alias, "team_id": key.team_id} for key in found},
    )
    return analytics(activity, query.model or None, query.page, query.page_size, clock.utc_now())


def _of_everybody(days: Days) -> _Scope:
    return _Scope(daily.of_platform(days.first, days.last), every_key())


def _of_all(
    days: Days, entity_of: NameOf, excluded: set[str], labels: Callable[[Iterable[str]], dict[str, dict[str, Any]]]
) -> _Scope:
    """Everything that has such an entity."""

    def within(part: Part) -> bool:
        entity = entity_of(part)
        return entity is not None and entity not in excluded

    parts = [part for part in daily.of_owners(days.first, days.last) if within(part)]
    found = {entity for part in parts if (entity := entity_of(part)) is not None}
    return _Scope(parts, every_key(), within, entity_of, labels(found))


def _of_user(user_id: str, days: Days) -> _Scope:
    own = list(islice(virtual_keys.all_of_user(user_id), MOST_KEYS))
    names = {key.key_id for key in own}
    parts = daily.of_scopes(keys.USAGE_USER, [user_id], days.first, days.last)
    return _Scope(parts, own, lambda part: part.name in names, lambda _: user_id, {user_id: {}})


def _own(caller: Principal, days: Days, counts: Callable[[Part], bool], entity_of: NameOf) -> _Scope:
    """What was called in the caller's name since there is somebody of his name, where it counts (Q-01)."""
    user = caller_as_user(caller)
    if user is None or user.created_at.date() > days.last:
        return _Scope([], entity_of=entity_of)
    own = [key for key in islice(virtual_keys.all_of_user(user.user_id), MOST_KEYS) if is_of(user, key)]
    names = {key.key_id for key in own}
    first = max(days.first, user.created_at.date())
    parts = [part for part in daily.of_scopes(keys.USAGE_USER, [user.user_id], first, days.last) if counts(part)]
    return _Scope(parts, own, lambda part: part.name in names and part.day >= str(first) and counts(part), entity_of)


def _of_teams(found: list[Team], days: Days) -> _Scope:
    uids = {team.uid for team in found}
    parts = daily.of_scopes(keys.USAGE_OWNER, [team.uid for team in found], days.first, days.last)
    own = chain.from_iterable(virtual_keys.all_of_team(team.uid) for team in found)
    return _Scope(parts, own, lambda part: part.owner_uid in uids, lambda part: part.team_id)


def _of_organizations(found: list[Organization], days: Days) -> _Scope:
    uids = {one.uid for one in found}
    parts = [
        part for one in found for part in daily.of_organization(one.organization_id, one.uid, days.first, days.last)
    ]
    links = [virtual_keys.links(one.uid, revoked=revoked) for one in found for revoked in (False, True)]
    own = chain.from_iterable(link.all() for link in links)
    return _Scope(parts, own, lambda part: part.organization_uid in uids, lambda part: part.organization_id)


def _both(one: _Scope, other: _Scope) -> _Scope:
    return _Scope(
        [*one.parts, *other.parts],
        chain(one.keys, other.keys),
        lambda part: one.within(part) or other.within(part),
        one.entity_of,
    )


def _team_labels(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    return {team_id: {"team_alias": team.team_alias} for team_id, team in teams.find_all(names).items()}


def _organization_labels(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    found = (organizations.find(name) for name in islice(names, MOST_NAMES))
    return {one.organization_id: _organization_label(one) for one in found if one is not None}


def _organization_label(organization: Organization) -> dict[str, Any]:
    return {"organization_alias": organization.name}


def _owner(team: Team) -> Owner:
    return Owner(team.organization_id, team.team_id)


def _split(names: str | None) -> list[str]:
    """Ids between commas; at most 1,000."""
    found = list(dict.fromkeys(name.strip() for name in (names or "").split(",") if name.strip()))
    if len(found) > MOST_NAMES:
        raise DialectError(400, f"At most {MOST_NAMES} ids can be named at once", quoted=True)
    return found
