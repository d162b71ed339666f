"""What counting calls into usage consumes: write units and processor time per call, by the size of the batch."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.bench.capacity import item_size
from tests.support import build, calls
from tests.support.environment import empty_table, write
from tests.support.items import raw_items
from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings
from tollgate.usage.names import Names
from tollgate.usage.rollup import Rollup

BATCHES = (1, 100)
_ORGANIZATION, _TEAM = "org_bench", "bench"
_KEYS, _USERS, _MODELS = 5, 3, ("fast", "slow")
_INDEXES = ("GSI1PK", "GSI2PK", "DUEPK")


@dataclass(frozen=True)
class Rolled:
    """Per call of a batch: write units of its transactions, and milliseconds of processor time of the consumer."""

    write_units: float
    milliseconds: float


class _Watched(DynamoDB):
    """Keeps the writes of transactions: DynamoDB Local reports the same capacity for each, so they are counted by rule."""

    def __init__(self, region: str, endpoint_url: str | None) -> None:
        super().__init__(region, endpoint_url)
        self.touched: list[tuple[str, str]] = []

    async def call(self, operation: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        answer = await super().call(operation, payload, **options)
        if operation == "TransactWriteItems":
            keys = [next(iter(write.values()))["Key"] for write in payload["TransactItems"]]
            self.touched += [(key["PK"]["S"], key["SK"]["S"]) for key in keys]
        return answer


def per_call() -> dict[int, Rolled]:
    """By size of the batch: calls of one team, of 5 keys, 3 users and 2 models, whose buckets are there already."""
    empty_table()
    build.organization(_ORGANIZATION)
    build.team(_TEAM, _ORGANIZATION)
    return {batch: asyncio.run(_rolled(batch)) for batch in BATCHES}


async def _rolled(batch: int) -> Rolled:
    config = settings()
    async with aclosing(_Watched(config.region, config.dynamodb_endpoint_url)) as db:
        rollup = Rollup(db, config.table_name, Names(config.table_name))
        # The first batch makes the buckets and the names.
        await _count(rollup, max(BATCHES))
        db.touched.clear()
        used = await _count(rollup, batch)
    items = {(item["PK"]["S"], item["SK"]["S"]): item for item in raw_items()}
    units = sum(_transacted(items[place]) for place in db.touched)
    return Rolled(units / batch, used / batch * 1000)


async def _count(rollup: Rollup, number: int) -> float:
    uids = {
        item["kind"]["S"]: item["uid"]["S"] for item in raw_items() if item["kind"]["S"] in {"team", "organization"}
    }
    records = [_record(index, uids) for index in range(number)]
    write([{"PutRequest": {"Item": record}} for record in records])
    before = time.process_time()
    assert not await rollup.count((record["PK"]["S"], record) for record in records)
    return time.process_time() - before


def _record(number: int, uids: dict[str, str]) -> calls.Item:
    return calls.record(
        datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=number),
        team_id=_TEAM,
        team_uid=uids["team"],
        organization_id=_ORGANIZATION,
        organization_uid=uids["organization"],
        key_id=f"key-{number % _KEYS}",
        user_id=f"user-{number % _USERS}",
        requested_model=_MODELS[number % len(_MODELS)],
    )


def _transacted(item: dict[str, Any]) -> int:
    """Two units per started KB of the item, one in each index that has it."""
    size = -(-item_size(item) // 1024)
    return size * (2 + sum(name in item for name in _INDEXES))
