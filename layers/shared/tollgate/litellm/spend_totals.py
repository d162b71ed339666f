"""What keys, users and tags have spent, the dearest first (contract litellm 1.9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core import clock
from tollgate.core.fields import Amount
from tollgate.core.pagination import PageRequest
from tollgate.keys import repository as virtual_keys
from tollgate.keys.access import caller_as_user, is_of
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.limits import repository as limits
from tollgate.limits.model import Scope
from tollgate.litellm import key_rows, user_rows
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.key_rows import TokenRow
from tollgate.litellm.spend_scope import sees_all
from tollgate.litellm.user_rows import UserRow
from tollgate.table import keys
from tollgate.tenants import spending
from tollgate.usage import calls, daily
from tollgate.usage.calls import Whose
from tollgate.usage.figures import total
from tollgate.usage.model import Days, days_between
from tollgate.users import repository as users
from tollgate.users.model import User

# What is compared, the newest; and users that are shown, whose rows cost a query each.
MOST = 1_000
MOST_USERS = 100
# What is looked at where no days are named.
DAYS = 30
T = TypeVar("T")


class UserSpendQuery(BaseModel):
    user_id: Annotated[str | None, Field(max_length=256)] = None


class TagSpendQuery(BaseModel):
    """Days in UTC, both included; without any the last thirty."""

    start_date: date | None = None
    end_date: date | None = None

    def days(self) -> Days:
        return days_or_month(self.start_date, self.end_date)


class TagSpend(DialectRow):
    individual_request_tag: str
    log_count: int
    total_spend: Amount


@dataclass(frozen=True, slots=True)
class Ranked(Generic[T]):
    """Rows, the dearest first. ``truncated``: there is more than what was looked at, or is shown."""

    rows: list[T]
    truncated: bool = False


def days_or_month(first: date | None, last: date | None) -> Days:
    """The days that are asked for, else the last thirty. Raises InvalidRequestError for more than a year."""
    end = last or clock.utc_now().date()
    return days_between(first or end - timedelta(days=DAYS - 1), end)


def of_keys(caller: Principal) -> Ranked[TokenRow]:
    """Keys by what they have spent in their windows: all of them, or one's own."""
    found, more = _first(_keys(caller), MOST)
    rows = zip(found, key_rows.fields(found), strict=True)
    shown = [TokenRow.model_validate(row | {"token": key.key_id}) for key, row in rows]
    return Ranked(sorted(shown, key=lambda row: row.spend, reverse=True), more)


def of_users(caller: Principal, query: UserSpendQuery) -> Ranked[UserRow]:
    """Users by what they have spent in their windows: all of them, the one who is named, or oneself."""
    found, more = _first(_users(caller, query.user_id), MOST)
    spends = spending.of_all([spending.user_spender(user) for user in found], clock.utc_now())
    pairs = sorted(zip(spends, found, strict=True), key=lambda pair: pair[0].spend, reverse=True)
    shown = [user_rows.seen(caller, user, with_keys=False) for _, user in pairs[:MOST_USERS]]
    return Ranked(user_rows.rows(shown), more or len(found) > MOST_USERS)


def of_tags(caller: Principal, query: TagSpendQuery) -> Ranked[TagSpend]:
    """Tags that have limits, or that calls of these days had. Sums are exact; of calls, 10,000 are looked at."""
    authorize(caller, Action.USAGE_READ_PLATFORM)
    days = query.days()
    tagged = calls.newest(
        Whose(keys.USAGE_PLATFORM), days.first, days.last, lambda call: bool(call.tags), calls.MOST_READ
    )
    limited = limits.search(Scope.TAG, PageRequest(limit=MOST)).entries
    names = {tag for call in tagged.calls for tag in call.tags} | {tag.scope_id for tag in limited}
    shown = sorted(names)[:MOST]
    parts = daily.of_scopes(keys.USAGE_TAG, shown, days.first, days.last)
    sums = {name: total(part.figures for part in parts if part.name == name) for name in shown}
    rows = [
        TagSpend(individual_request_tag=name, log_count=int(figures.calls), total_spend=figures.cost_usd)
        for name, figures in sums.items()
        if figures.calls
    ]
    rows.sort(key=lambda row: row.total_spend, reverse=True)
    return Ranked(rows, tagged.truncated or len(names) > MOST)


def _first(found: Iterable[T], most: int) -> tuple[list[T], bool]:
    """The first ``most``, and whether there are more."""
    seen = list(islice(found, most + 1))
    return seen[:most], len(seen) > most


def _keys(caller: Principal) -> Iterable[VirtualKey]:
    if sees_all(caller):
        return virtual_keys.links(everywhere=True).all()
    user = caller_as_user(caller)
    own = virtual_keys.all_of_user(user.user_id) if user is not None else ()
    return (key for key in own if is_of(user, key) and key.status is KeyStatus.ACTIVE)


def _users(caller: Principal, user_id: str | None) -> Iterable[User]:
    if not sees_all(caller):
        return _known(caller_as_user(caller))
    return _known(users.find(user_id)) if user_id else users.every()


def _known(user: User | None) -> list[User]:
    return [user] if user is not None else []
