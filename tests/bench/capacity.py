"""What calls and their counter consume of the table: units, round trips, sizes. DynamoDB Local's own counts, read from its answers."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unittest.mock import patch

from proxy.upstream import Upstream
from tests.bench.traffic import TEAM, base_url, chat, headers, provider, team_key
from tests.support.books import books
from tests.support.items import raw_items
from tests.support.proxy import proxy_client
from tollgate.aws.dynamodb import DynamoDB
from tollgate.core import ids
from tollgate.limits.model import Limits, Scope
from tollgate.metering.counters import Counters
from tollgate.metering.model import Account, Amount, Hold, Meter
from tollgate.settings import settings

CALLS = 20
# The first call of an account that was idle, then as others are in flight.
HOLDS = (1, 1, 10, 40)
_UPSTREAM = "upstream"
_EXPIRES = 4_000_000_000
_BOUND = Amount(Decimal("0.00012345"), Decimal("0.00012345"), 1234)
_ACTUAL = Amount(Decimal("0.000021"), Decimal("0.000021"), 80)
_READS = {"Query", "GetItem", "BatchGetItem"}


@dataclass(frozen=True)
class Operation:
    """One request to the table: the units it consumed, of which ``index_units`` are a part, its start, its milliseconds."""

    name: str
    units: float = 0.0
    index_units: float = 0.0
    began: float = 0.0
    milliseconds: float = 0.0

    @property
    def ended(self) -> float:
        return self.began + self.milliseconds / 1000

    @property
    def writes(self) -> bool:
        return self.name in {"PutItem", "UpdateItem"}


@dataclass(frozen=True)
class PerCall:
    """Medians of a call: units and round trips."""

    write_units: float
    index_write_units: float
    read_units: float
    trips_hinted: float
    trips_unhinted: float
    record_bytes: int
    trip_milliseconds: float


@dataclass(frozen=True)
class Counter:
    """The counter item with so many holds in flight, and the write units of one more reservation and its settlement."""

    holds: int
    size: int
    reserve_units: float
    settle_units: float


@contextmanager
def metered() -> Iterator[list[Operation]]:
    """Every operation of the hot path's client in this process, and the moments at which the provider is called."""
    seen: list[Operation] = []
    real_call, real_open = DynamoDB.call, Upstream.open

    async def noted(self: DynamoDB, operation: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        began = time.perf_counter()
        answer = await real_call(self, operation, {**payload, "ReturnConsumedCapacity": "INDEXES"}, **options)
        seen.append(_operation(operation, answer, began, (time.perf_counter() - began) * 1000))
        return answer

    async def opened(self: Upstream, *arguments: Any) -> Any:
        seen.append(Operation(_UPSTREAM))
        return await real_open(self, *arguments)

    with patch.object(DynamoDB, "call", noted), patch.object(Upstream, "open", opened):
        yield seen


def _operation(name: str, answer: dict[str, Any], began: float, milliseconds: float) -> Operation:
    consumed = answer.get("ConsumedCapacity") or []
    parts = consumed if isinstance(consumed, list) else [consumed]
    indexes = [index for part in parts for index in part.get("GlobalSecondaryIndexes", {}).values()]
    return Operation(
        name,
        sum(part["CapacityUnits"] for part in parts),
        sum(index["CapacityUnits"] for index in indexes),
        began,
        milliseconds,
    )


def per_call(key: str) -> PerCall:
    """A non-streamed call with ``key`` through the app in this process."""
    with provider() as upstream, patch.dict(os.environ, UPSTREAM_BASE_URL=base_url(upstream)):
        settings.cache_clear()
        hinted = asyncio.run(_calls(key, hinted=True))
        unhinted = asyncio.run(_calls(key, hinted=False))
    settings.cache_clear()
    writes = [[operation for operation in one if operation.writes] for one in hinted]
    records = [item for item in raw_items() if item["kind"]["S"] == "call"]
    return PerCall(
        write_units=statistics.median(sum(operation.units for operation in one) for one in writes),
        index_write_units=statistics.median(sum(operation.index_units for operation in one) for one in writes),
        read_units=statistics.median(sum(op.units for op in one if op.name in _READS) for one in hinted),
        trips_hinted=statistics.median(map(_trips, hinted)),
        trips_unhinted=statistics.median(map(_trips, unhinted)),
        record_bytes=max(map(item_size, records)),
        trip_milliseconds=statistics.median(op.milliseconds for one in hinted for op in one if op.name != _UPSTREAM),
    )


async def _calls(key: str, *, hinted: bool) -> list[list[Operation]]:
    """The operations of each call, after a first one that fills the caches."""
    found = []
    async with proxy_client(key) as client:
        for _ in range(CALLS + 1):
            with metered() as seen:
                answer = await client.post("/v1/chat/completions", json=chat(), headers=headers(key, hinted=hinted))
            answer.raise_for_status()
            found.append(list(seen))
    return found[1:]


def _trips(operations: list[Operation]) -> int:
    """Round trips before the provider; requests side by side are one."""
    before = operations[: [operation.name for operation in operations].index(_UPSTREAM)]
    trips, ended = 0, 0.0
    for operation in sorted(before, key=lambda one: one.began):
        trips += operation.began >= ended
        ended = max(ended, operation.ended)
    return trips


def counters() -> list[Counter]:
    """The counter item as calls in flight make it grow."""
    team_key()
    uid = next(item["uid"]["S"] for item in raw_items() if item["kind"]["S"] == "team")
    return asyncio.run(_counters(uid))


async def _counters(uid: str) -> list[Counter]:
    found = []
    config = settings()
    hold = Hold(Meter(Scope.TEAM, TEAM, TEAM, uid, Limits(), account=Account(uid)), 0, _BOUND, ())
    async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
        store = Counters(db, config.table_name)
        for holds in HOLDS:
            while len(books(TEAM).holds) < holds - 1:
                await _reserve(store, hold)
            with metered() as seen:
                hold_id = await _reserve(store, hold)
                size = next(item_size(item) for item in raw_items() if item["SK"]["S"] == "HOT#0")
                await store.settle(hold, hold_id, time.time(), _ACTUAL)
            reserved, settled = (operation.units for operation in seen)
            found.append(Counter(holds, size, reserved, settled))
    return found


async def _reserve(store: Counters, hold: Hold) -> str:
    hold_id = ids.hold_id_of(ids.new_call_id())
    refused = await store.reserve(hold, hold_id, time.time(), _EXPIRES)
    assert refused is None
    return hold_id


def item_size(item: dict[str, Any]) -> int:
    """Bytes of an item by DynamoDB's rule: names and values, 1 and 3 for the entries and the frame of a map or list."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return (len(content.replace(".", "").strip("-0")) + 1) // 2 + 1 + content.startswith("-")
        case "M":
            return 3 + len(content) + item_size(content)
        case "L":
            return 3 + sum(1 + _size(entry) for entry in content)
        case _:
            return 1
