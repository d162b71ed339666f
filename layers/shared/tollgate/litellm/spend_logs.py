"""Spend logs in the dialect: calls, and what they sum up to by day (contract litellm 1.9, Q-31, Q-47)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, islice
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from tollgate.auth.principal import Principal
from tollgate.core import clock
from tollgate.core.money import ZERO, to_json
from tollgate.keys import repository as virtual_keys
from tollgate.keys.model import VirtualKey
from tollgate.litellm import spend_rows
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.litellm.spend_rows import SpendLog
from tollgate.litellm.spend_scope import MOST_KEYS, Seen, every_key, may_see, seen_by
from tollgate.table import keys
from tollgate.usage import calls, daily
from tollgate.usage.calls import Found, LoggedCall
from tollgate.usage.daily import Part
from tollgate.usage.model import MOST_DAYS, Days, days_between

# Rows of an array without pages, and their bytes: an answer has at most 6 MB. Whoever wants more asks for pages.
MOST_ROWS = 2_000
MOST_BYTES = 4_500_000
_Name = Annotated[str | None, Field(max_length=1024)]


def _begin(given: Any) -> Any:
    return f"{given}T00:00:00" if _is_day(given) else given


def _end(given: Any) -> Any:
    return f"{given}T23:59:59.999999" if _is_day(given) else given


def _is_day(given: Any) -> bool:
    return isinstance(given, str) and len(given) == len("2026-03-01")


def _in_utc(moment: datetime | None) -> datetime | None:
    """A time without an offset is UTC (Q-34)."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


_Begin = Annotated[datetime | None, BeforeValidator(_begin), AfterValidator(_in_utc)]
_End = Annotated[datetime | None, BeforeValidator(_end), AfterValidator(_in_utc)]


class LogQuery(BaseModel):
    """Query of ``/spend/logs``. The key by its string or its hash, a call by its id in either form."""

    api_key: _Name = None
    user_id: _Name = None
    request_id: _Name = None
    start_date: date | None = None
    end_date: date | None = None
    summarize: bool = True


class PagedLogQuery(BaseModel):
    """Query of ``/spend/logs/v2``; dates may have a time, in UTC."""

    api_key: _Name = None
    user_id: _Name = None
    team_id: _Name = None
    request_id: _Name = None
    end_user: _Name = None
    model: _Name = None
    model_id: _Name = None
    status_filter: Literal["success", "failure"] | None = None
    min_spend: Decimal | None = None
    max_spend: Decimal | None = None
    start_date: _Begin = None
    end_date: _End = None
    page: Annotated[int, Field(ge=1)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 50


class LogPage(DialectRow):
    """``total`` counts at most 10,000 calls; ``truncated`` says that there are more."""

    data: list[SpendLog]
    total: int
    page: int
    page_size: int
    total_pages: int
    truncated: bool
    as_of: Moment


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows, or days, and whether there is more than that."""

    rows: list[SpendLog] | list[dict[str, Any]]
    truncated: bool = False


def listed(caller: Principal, query: LogQuery) -> Listed:
    """Calls, newest first; of days that are named what was spent on each, unless ``summarize`` is false."""
    if query.request_id:
        return Listed(spend_rows.rows(caller, _one(caller, query.request_id)))
    seen = seen_by(caller, query.api_key, query.user_id)
    days = _days(query.start_date, query.end_date, seen)
    if query.summarize and query.start_date and query.end_date:
        return Listed(_summed(seen, days))
    found = calls.newest(seen.whose, days.first, days.last, seen.sees, MOST_ROWS)
    fitting = _fitting(found.calls)
    return Listed(spend_rows.rows(caller, fitting), found.truncated or len(fitting) < len(found.calls))


def _fitting(found: list[LoggedCall]) -> list[LoggedCall]:
    """The first calls, as many as an answer holds."""
    sizes = accumulate(map(spend_rows.most_bytes, found))
    return [call for call, size in zip(found, sizes, strict=True) if size <= MOST_BYTES]


def page(caller: Principal, query: PagedLogQuery) -> LogPage:
    """A page of calls, newest first."""
    found = _matching(caller, query)
    first = (query.page - 1) * query.page_size
    total = len(found.calls)
    return LogPage(
        data=spend_rows.rows(caller, found.calls[first : first + query.page_size]),
        total=total,
        page=query.page,
        page_size=query.page_size,
        total_pages=-(-total // query.page_size),
        truncated=found.truncated,
        as_of=clock.utc_now(),
    )


def _matching(caller: Principal, query: PagedLogQuery) -> Found:
    if query.request_id:
        return Found([call for call in _one(caller, query.request_id) if _fits(call, query)])
    seen = seen_by(caller, query.api_key, query.user_id, query.team_id)
    days = _days(_day(query.start_date), _day(query.end_date), seen)
    return calls.newest(
        seen.whose, days.first, days.last, lambda call: seen.sees(call) and _fits(call, query), calls.MOST_READ
    )


def _one(caller: Principal, request_id: str) -> list[LoggedCall]:
    """The call, if the caller sees it; to others it does not exist."""
    call = calls.find(request_id)
    return [call] if call is not None and may_see(caller, call) else []


def _fits(call: LoggedCall, query: PagedLogQuery) -> bool:
    wanted = {
        "team_id": query.team_id,
        "customer_id": query.end_user,
        "requested_model": query.model,
        "target_id": query.model_id,
    }
    return (
        all(not value or getattr(call, name) == value for name, value in wanted.items())
        and query.status_filter in {None, spend_rows.status_of(call)}
        and (query.min_spend is None or call.cost_usd >= query.min_spend)
        and (query.max_spend is None or call.cost_usd <= query.max_spend)
        and (query.start_date is None or call.started_at >= query.start_date)
        and (query.end_date is None or call.started_at <= query.end_date)
    )


def _day(moment: datetime | None) -> date | None:
    return moment.astimezone(UTC).date() if moment is not None else None


def _days(first: date | None, last: date | None, seen: Seen) -> Days:
    """The days that are asked for, at most a year; without any the last year."""
    end = last or clock.utc_now().date()
    days = days_between(first or end - timedelta(days=MOST_DAYS - 1), end)
    if seen.since is None:
        return days
    return Days(max(days.first, seen.since.date()), days.last)


def _summed(seen: Seen, days: Days) -> list[dict[str, Any]]:
    """By day what was spent, by model, by user and by key. From the usage buckets, so as cheap as few calls."""
    if days.first > days.last:
        return []
    parts = _parts(seen, days)
    by_day: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        by_day[part.day].append(part)
    known = {key.key_id: key.user_id for key in _keys(seen)}
    keyed: dict[str, list[Part]] = defaultdict(list)
    for part in daily.of_scopes(keys.USAGE_KEY, known, days.first, days.last):
        if seen.counts(part):
            keyed[part.day].append(part)
    return [_summary(day, by_day[day], keyed[day], known) for day in sorted(by_day)]


def _parts(seen: Seen, days: Days) -> list[Part]:
    if seen.whose.scope == keys.USAGE_PLATFORM:
        return daily.of_platform(days.first, days.last)
    found = daily.of_scopes(seen.whose.scope, [seen.whose.name], days.first, days.last)
    return [part for part in found if seen.counts(part)]


def _keys(seen: Seen) -> list[VirtualKey]:
    """The keys that can have made the calls."""
    match seen.whose.scope:
        case keys.USAGE_KEY:
            key = virtual_keys.find(seen.whose.name)
            return [key] if key is not None else []
        case keys.USAGE_USER:
            return list(islice(virtual_keys.all_of_user(seen.whose.name), MOST_KEYS))
        case _:
            return every_key()


def _summary(day: str, parts: list[Part], keyed: list[Part], users: dict[str, str | None]) -> dict[str, Any]:
    by_key = _spent((part.name, part) for part in keyed)
    by_user = _spent((users[part.name or ""], part) for part in keyed)
    return {
        "startTime": day,
        "spend": to_json(sum((part.figures.cost_usd for part in parts), ZERO)),
        "users": by_user,
        "models": _spent((part.model, part) for part in parts),
        **by_key,
    }


def _spent(pairs: Iterable[tuple[str | None, Part]]) -> dict[str, int | float]:
    """USD by name; what has none is left out."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for name, part in pairs:
        if name:
            sums[name] += part.figures.cost_usd
    return {name: to_json(value) for name, value in sorted(sums.items())}
