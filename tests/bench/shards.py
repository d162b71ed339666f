"""How many calls a second a hot account carries: by the units that its counter items take for them."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tests.bench.traffic import TEAM, base_url, chat, headers, provider, team_key
from tests.support.api import call
from tests.support.proxy import proxy_client
from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings

SHARDS = (1, 8)
CALLS = 160
SIDE_BY_SIDE = 8
# What DynamoDB writes to one item in a second (docs/data-model.md, section 5).
UNITS_A_SECOND = 1000


@dataclass(frozen=True)
class Hot:
    """What so many shards carry: calls a second, and how many of the calls had to divide what is left."""

    shards: int
    calls_a_second: float
    divided: int


def measured() -> list[Hot]:
    """One shard and eight, with calls that find their shard by chance."""
    return [_hot(shards) for shards in SHARDS]


def _hot(shards: int) -> Hot:
    key = team_key()
    answer = call("PUT", f"/api/teams/{TEAM}", {"account_shards": shards})
    assert answer.status == 200, answer.text
    with provider() as upstream, patch.dict(os.environ, UPSTREAM_BASE_URL=base_url(upstream)), _units() as units:
        settings.cache_clear()
        asyncio.run(_calls(key))
    settings.cache_clear()
    divided = units.pop("divided", 0)
    # Calls choose their shard by chance, so in the long run every item takes its part.
    return Hot(shards, UNITS_A_SECOND * shards * CALLS / sum(units.values()), int(divided))


@contextmanager
def _units() -> Iterator[Counter[str]]:
    """Write units by counter item. A transaction's are by rule: DynamoDB Local tells them wrong."""
    found: Counter[str] = Counter()
    real = DynamoDB.call

    async def noted(self: DynamoDB, operation: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            found["divided"] += 1
            for entry in payload["TransactItems"]:
                found[entry["Update"]["Key"]["SK"]["S"]] += 2
            return await real(self, operation, payload, **options)
        answer = await real(self, operation, {**payload, "ReturnConsumedCapacity": "TOTAL"}, **options)
        if operation == "UpdateItem":
            found[payload["Key"]["SK"]["S"]] += answer["ConsumedCapacity"]["CapacityUnits"]
        return answer

    with patch.object(DynamoDB, "call", noted):
        yield found


async def _calls(key: str) -> None:
    busy = asyncio.Semaphore(SIDE_BY_SIDE)
    async with proxy_client(key) as client:

        async def one() -> None:
            async with busy:
                answer = await client.post("/v1/chat/completions", json=chat(), headers=headers(key, hinted=True))
            answer.raise_for_status()

        await asyncio.gather(*(one() for _ in range(CALLS)))
