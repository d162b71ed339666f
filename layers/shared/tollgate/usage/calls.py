"""Finding call records: one by its id, or those of a day, newest first. No index tells whose a call is.

A record lies under its owner and day. Which owners and days have calls of a user, key, customer or tag is what their
buckets say, so a list reads those few places and no others, and is as late as the buckets are (Q-47).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from tollgate.core import clock, ids
from tollgate.table import keys
from tollgate.table.base import GSI1, GSI2
from tollgate.usage.figures import Image, number, text
from tollgate.usage.reading import Range, read, read_items, read_pages

CALL_KIND = "call"
REQUEST_PREFIX = "chatcmpl-"
# How many records a list reads before it says that there are more.
MOST_READ = 10_000
# Records of one place that are read at once: few where there are many places.
_PAGE = 500
_LEAST_PAGE = 10
# What all call ids lie between.
_FIRST_ID, _LAST_ID = "0", "g"


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """A call as its record has it.

    ``route`` None: chat completions. Milliseconds count from ``started_at``, costs are client cost in USD (Q-19).
    """

    call_id: str
    started_at: datetime
    outcome: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal
    latency_ms: int
    first_token_ms: int | None
    estimated: bool
    streamed: bool
    tags: tuple[str, ...]
    key_id: str | None
    team_id: str | None
    team_uid: str | None
    organization_id: str | None
    organization_uid: str | None
    user_id: str | None
    customer_id: str | None
    requested_model: str | None
    model_used: str | None
    provider: str | None
    target_id: str | None
    detail: str | None
    error: str | None
    route: str | None
    job_id: str | None
    purpose: str | None
    call_metadata: str | None

    @property
    def request_id(self) -> str:
        """The id that the client got in the body (Q-31)."""
        return f"{REQUEST_PREFIX}{self.call_id}"


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose calls: ``scope`` is one of ``keys.USAGE_*`` and ``name`` the uid of an owner, else what records name."""

    scope: str
    name: str = keys.PLATFORM


@dataclass(frozen=True, slots=True)
class Found:
    """Calls, newest first. ``truncated``: the search stopped at its bound, there may be more."""

    calls: list[LoggedCall]
    truncated: bool = False


def find(request_id: str) -> LoggedCall | None:
    """The call by its id in either form (Q-31); None as well for what is no id."""
    call_id = request_id.removeprefix(REQUEST_PREFIX)
    try:
        hold_id = ids.hold_id_of(call_id)
    except ValueError:
        return None
    for item in read_items([(keys.call(hold_id), keys.ENTITY)]):
        if text(item, "kind") == CALL_KIND and text(item, "call_id") == call_id:
            return _logged(item)
    return None


def newest(whose: Whose, first: date, last: date, matches: Callable[[LoggedCall], bool], most: int) -> Found:
    """The newest calls of the days, both included, that match: at most ``most``, of at most ``MOST_READ`` read."""
    found: list[LoggedCall] = []
    for count, item in enumerate(_walked(whose, first, last)):
        call = _logged(item)
        if count == MOST_READ or (len(found) == most and matches(call)):
            return Found(found, truncated=True)
        if matches(call):
            found.append(call)
    return Found(found)


def _walked(whose: Whose, first: date, last: date) -> Iterator[Image]:
    for day, owners in _places(whose, first, last):
        yield from _of_day(day, owners)


def _places(whose: Whose, first: date, last: date) -> Iterator[tuple[str, list[str]]]:
    """The days that have calls, newest first, with the owners under whom these lie.

    Looks at one day, then at twice as many each time: who has much is done soon, who has little as well.
    """
    end, span = last, 1
    while end >= first:
        begin = max(first, end - timedelta(days=span - 1))
        owners: dict[str, set[str]] = defaultdict(set)
        for items in read([_days(partition, index, begin, end) for partition, index in _partitions(whose)]):
            for item in items:
                owners[text(item, "day") or ""].add(text(item, "owner_uid") or "")
        yield from ((day, sorted(owners[day])) for day in sorted(owners, reverse=True))
        end, span = begin - timedelta(days=1), span * 2


def _partitions(whose: Whose) -> list[tuple[str, str | None]]:
    if whose.scope == keys.USAGE_PLATFORM:
        return [(keys.usage_slice(number), GSI2) for number in range(keys.USAGE_SLICES)]
    return [(keys.usage_of(whose.scope, whose.name), None)]


def _days(partition: str, index: str | None, first: date, last: date) -> Range:
    return Range(partition, keys.usage_day(str(first)), keys.usage_days_end(str(last)), index)


def _of_day(day: str, owners: Sequence[str]) -> Iterator[Image]:
    """The calls of a day under several owners in one order: first pages side by side, the rest as it is asked for."""
    size = max(_LEAST_PAGE, min(_PAGE, MOST_READ // len(owners)))
    places = [Range(keys.calls_of(owner, day), _FIRST_ID, _LAST_ID, GSI1, newest=size) for owner in owners]
    lists = [_list(place, *page) for place, page in zip(places, read_pages(places), strict=True)]
    yield from heapq.merge(*lists, key=_id, reverse=True)


def _list(place: Range, page: Sequence[Image], more: bool) -> Iterator[Image]:  # noqa: FBT001
    """The calls of a place from its first page on. A further page begins with the last call of the one before."""
    size = (place.newest or 0) + 1
    yield from page
    while more and page:
        last = _id(page[-1])
        ((again, more),) = read_pages([Range(place.partition, place.first, last, place.index, newest=size)])
        page = [item for item in again if _id(item) < last]
        yield from page


def _id(item: Image) -> str:
    return text(item, "call_id") or ""


def _logged(item: Image) -> LoggedCall:
    return LoggedCall(
        call_id=_id(item),
        started_at=clock.from_stored(text(item, "started_at") or ""),
        outcome=text(item, "outcome") or "",
        input_tokens=int(number(item, "input_tokens")),
        output_tokens=int(number(item, "output_tokens")),
        cached_tokens=int(number(item, "cached_tokens")),
        reasoning_tokens=int(number(item, "reasoning_tokens")),
        cost_usd=number(item, "cost_usd"),
        latency_ms=int(number(item, "latency_ms")),
        first_token_ms=int(number(item, "first_token_ms")) if "first_token_ms" in item else None,
        estimated="estimated" in item,
        streamed="streamed" in item,
        tags=tuple(tag["S"] for tag in item["tags"]["L"]) if "tags" in item else (),
        **{name: text(item, name) for name in _TEXTS},
    )


_TEXTS = (
    "key_id",
    "team_id",
    "team_uid",
    "organization_id",
    "organization_uid",
    "user_id",
    "customer_id",
    "requested_model",
    "model_used",
    "provider",
    "target_id",
    "detail",
    "error",
    "route",
    "job_id",
    "purpose",
    "call_metadata",
)
