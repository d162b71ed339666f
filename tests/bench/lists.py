"""First pages of lists, over collections that grow: the read units that the real handlers consume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from tests.support import build
from tests.support.api import call
from tests.support.environment import empty_table, engine, template
from tests.support.items import raw_items

SIZES = (100, 10_000)
LONG_SIZES = (100, 10_000, 100_000)
_BATCH = 25
_TABLE = template.table()["TableName"]
_SEED = "bench-0"
_ORGANIZATION = "org_bench"
_READS = {"Query", "GetItem", "BatchGetItem"}

Item = dict[str, Any]


def organizations(sizes: tuple[int, ...]) -> dict[int, float]:
    """Read units of ``GET /api/organizations`` by number of organizations."""
    empty_table()
    build.organization(_SEED)
    own = [item for item in raw_items() if item["kind"]["S"] == "organization"]
    return _grown(sizes, own, lambda number: _copies(own, _SEED, f"bench-{number}"), "/api/organizations", {})


def transactions(sizes: tuple[int, ...]) -> dict[int, float]:
    """Read units of ``GET /api/credits/transactions`` by number of entries in a team's ledger."""
    empty_table()
    build.organization(_ORGANIZATION)
    build.team(_SEED, _ORGANIZATION, credits_allocated=1)
    own = [item for item in raw_items() if item["SK"]["S"].startswith("TX#")]
    entry = own[0]["transaction_id"]["S"]
    make = lambda number: _copies(own, entry, f"{entry[:-6]}{number:06d}")  # noqa: E731
    return _grown(sizes, own, make, "/api/credits/transactions", {"team_id": _SEED})


def _grown(
    sizes: tuple[int, ...], own: list[Item], make: Callable[[int], list[Item]], path: str, query: dict[str, str]
) -> dict[int, float]:
    """Fills the collection up to each size with copies of a real entry, and reads its first page."""
    numbers = iter(range(1, max(sizes)))
    have, found = 1, {}
    for size in sizes:
        _write(item for number in islice(numbers, size - have) for item in make(number))
        have = size
        with _metered() as units:
            answer = call("GET", path, query=query)
        assert answer.status == 200, answer.text
        found[size] = sum(units)
    return found


def _copies(items: list[Item], name: str, other: str) -> list[Item]:
    """The items under another id: wherever the old one stands, in keys and in attributes."""
    copies: list[Item] = json.loads(json.dumps(items).replace(name, other))
    return copies


def _write(items: Iterator[Item]) -> None:
    client = engine.client("dynamodb")
    while batch := list(islice(items, _BATCH)):
        client.batch_write_item(RequestItems={_TABLE: [{"PutRequest": {"Item": item}} for item in batch]})


@contextmanager
def _metered() -> Iterator[list[float]]:
    """The units of every read through botocore in this process, which PynamoDB uses too."""
    units: list[float] = []
    real = BaseClient._make_api_call

    def noted(self: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if operation not in _READS:
            return real(self, operation, arguments)
        answer = real(self, operation, {**arguments, "ReturnConsumedCapacity": "TOTAL"})
        consumed = answer["ConsumedCapacity"]
        units.extend(part["CapacityUnits"] for part in (consumed if isinstance(consumed, list) else [consumed]))
        return answer

    with patch.object(BaseClient, "_make_api_call", noted):
        yield units
