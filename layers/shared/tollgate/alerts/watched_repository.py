"""What alerts look at in the table: whatever has limits or credits, its counters, and the newest calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tollgate.alerts.items import CallItem, WatchedItem
from tollgate.alerts.model import ERROR_SAMPLE
from tollgate.core import clock
from tollgate.limits import repository as limits_repository
from tollgate.limits.account import AccountSettings
from tollgate.limits.account_items import settings_of
from tollgate.limits.model import NO_LIMITS, Limits, Scope
from tollgate.table import keys
from tollgate.table.base import GSI1


@dataclass(frozen=True, slots=True)
class Watched:
    """Something that counts, with what its limits say now.

    Attributes:
        shards: over how many counter items it is spread.
        share: a team's part of its organization's budget, in USD (Q-51); None if it has none.
        given: USD of an organization's budget that such teams have, and that its own counter does not count.
    """

    uid: str
    limits: Limits
    settings: AccountSettings
    shards: int
    share: Decimal | None
    given: Decimal
    team_alias: str | None
    key_alias: str | None
    email: str | None


def find(scope: Scope, scope_id: str) -> Watched | None:
    """The entity as it stands, read strongly consistent; None if there is none."""
    place = _place(scope, scope_id)
    item = WatchedItem.find(*place) if place else None
    if item is None:
        return None
    limits = item.limits or NO_LIMITS
    limits = limits.over(limits_repository.shared(limits.budget_id))
    if scope is Scope.TEAM_MEMBER:
        limits = limits.over(limits_repository.shared(_member_default(scope_id)))
    return Watched(
        uid=keys.PLATFORM if scope is Scope.PLATFORM else item.uid,
        limits=limits,
        settings=settings_of(item),
        shards=item.account_items or 1,
        share=item.allocated_budget,
        given=item.allocated_total or Decimal(0),
        team_alias=item.team_alias,
        key_alias=item.key_alias,
        email=item.email,
    )


def _member_default(scope_id: str) -> str | None:
    """The shared row that limits the members of a team who have no limits of their own."""
    team = WatchedItem.find(keys.team(scope_id.partition("~")[0]), keys.ENTITY)
    return team.member_budget_id if team is not None else None


def newest_outcomes(partition: str, call_id: str, since: datetime) -> list[str]:
    """The outcomes of the newest calls up to one, at most ``ERROR_SAMPLE``; ``partition`` is where GSI1 lists it."""
    rows = CallItem.query(
        partition, call_id >= CallItem.GSI1SK, index_name=GSI1, scan_index_forward=False, limit=ERROR_SAMPLE
    )
    oldest = clock.to_stored(since)
    return [row.outcome for row in rows if row.started_at >= oldest]


def _place(scope: Scope, scope_id: str) -> tuple[str, str] | None:
    match scope:
        case Scope.PLATFORM:
            return keys.CATALOGUE, keys.PLATFORM_LIMITS
        case Scope.TAG:
            return keys.CATALOGUE, keys.tag(scope_id)
        case Scope.ORGANIZATION_MEMBER:
            return _member_place(keys.organization, scope_id)
        case Scope.TEAM_MEMBER:
            return _member_place(keys.team, scope_id)
        case _:
            builders = {
                Scope.ORGANIZATION: keys.organization,
                Scope.TEAM: keys.team,
                Scope.USER: keys.user,
                Scope.KEY: keys.key,
                Scope.CUSTOMER: keys.customer,
            }
            return builders[scope](scope_id), keys.ENTITY


def _member_place(group: Callable[[str], str], scope_id: str) -> tuple[str, str] | None:
    """A membership ``a~b`` is kept under the uids of both; None where one of them is gone."""
    group_id, _, user_id = scope_id.partition("~")
    owner = WatchedItem.find(group(group_id), keys.ENTITY)
    user = WatchedItem.find(keys.user(user_id), keys.ENTITY)
    return (keys.members_of(owner.uid), keys.member(user.uid)) if owner and user else None
