"""Usage of any scope, broken down: a key, an organization and a team are found by what the caller knows them by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError, NotFoundError
from tollgate.core.pagination import PageRequest
from tollgate.keys import repository as virtual_keys
from tollgate.organizations import access as organization_access
from tollgate.table import cursor, keys
from tollgate.teams import access as team_access
from tollgate.usage import repository
from tollgate.usage.model import Breakdown, Days, GroupBy, UsageGroup, UsageScope, days_between
from tollgate.usage.repository import Used
from tollgate.usage.service import totals_of

_PARTITIONS = {
    UsageScope.PROJECT: keys.USAGE_PROJECT,
    UsageScope.USER: keys.USAGE_USER,
    UsageScope.CUSTOMER: keys.USAGE_CUSTOMER,
    UsageScope.TAG: keys.USAGE_TAG,
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: a scope, its id (none for the platform), the days, and by what to tell them apart."""

    scope: UsageScope
    id: str | None
    days: Days
    group_by: GroupBy


@dataclass(frozen=True, slots=True)
class BreakdownService:
    """Reads usage of any scope; checks the caller's right over it."""

    clock: Clock = utc_now

    def read(self, caller: Principal, question: Question, page: PageRequest) -> Breakdown:
        days = days_between(question.days.first, question.days.last)
        used = _used(caller, question.scope, _id_of(question), days)
        groups: dict[str | None, list[Used]] = {}
        for one in used:
            key = one.at if question.group_by is GroupBy.DAY else getattr(one, question.group_by.value)
            groups.setdefault(key, []).append(one)
        shown, next_cursor = _page(sorted(groups, key=_order), page, question)
        return Breakdown(
            scope=question.scope,
            id=question.id,
            start_date=str(days.first),
            end_date=str(days.last),
            group_by=question.group_by,
            total=totals_of(caller, used),
            groups=[UsageGroup(key=key, usage=totals_of(caller, groups[key])) for key in shown],
            next_cursor=next_cursor,
            as_of=self.clock(),
        )


def _id_of(question: Question) -> str:
    if question.scope is UsageScope.PLATFORM:
        return keys.PLATFORM
    if not question.id:
        raise InvalidRequestError(f"id says which {question.scope.value} is meant", param="id")
    return question.id


def _used(caller: Principal, scope: UsageScope, scope_id: str, days: Days) -> list[Used]:
    if scope is UsageScope.ORGANIZATION:
        organization = organization_access.reachable(caller, scope_id, Action.USAGE_READ_ORGANIZATION)
        return repository.of_organization(organization.uid, days.first, days.last).by_dimensions
    if scope is UsageScope.TEAM:
        team = team_access.reachable(caller, scope_id, Action.USAGE_READ)
        return repository.of_scope(keys.USAGE_OWNER, team.uid, days.first, days.last)
    if scope is UsageScope.KEY:
        _check_key(caller, scope_id)
        return repository.of_scope(keys.USAGE_KEY, scope_id, days.first, days.last)
    # Whatever spans tenants is the platform's to see.
    authorize(caller, Action.USAGE_READ_PLATFORM)
    if scope is UsageScope.PLATFORM:
        return repository.of_platform(days.first, days.last)
    return repository.of_scope(_PARTITIONS[scope], scope_id, days.first, days.last)


def _check_key(caller: Principal, key_id: str) -> None:
    """A key is seen by whoever may see its team, else its organization; in the words for an unknown one otherwise."""
    missing = f"Key '{key_id}' not found"
    key = virtual_keys.find(key_id)
    if key is None:
        raise NotFoundError(missing)
    if key.team_id is not None:
        team_access.reachable(caller, key.team_id, Action.USAGE_READ)
    elif key.organization_id is not None:
        organization_access.reachable(caller, key.organization_id, Action.USAGE_READ_ORGANIZATION)
    else:
        authorize(caller, Action.USAGE_READ_PLATFORM)


def _order(key: str | None) -> tuple[bool, str]:
    """Calls outside jobs come first."""
    return key is not None, key or ""


def _page(found: list[str | None], page: PageRequest, question: Question) -> tuple[list[str | None], str | None]:
    scope = f"usage|{question.scope}|{question.id}|{question.days}|{question.group_by}"
    start = 0
    if page.cursor:
        last = cursor.decode(page.cursor, scope)["last"]
        start = sum(_order(key) <= (True, last) for key in found)
    shown = found[start + page.offset :][: page.limit]
    more = start + page.offset + len(shown) < len(found)
    return shown, cursor.encode({"last": shown[-1] or ""}, scope) if more and shown else None


@cache
def breakdown_service() -> BreakdownService:
    return BreakdownService()
