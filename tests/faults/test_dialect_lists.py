"""LiteLLM's lists of keys and teams over a real engine: pages in order cost what they show, however long the list is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient

from tests.support import build
from tests.support.api import call
from tests.support.environment import put_raw, raw_items
from tollgate.litellm import key_lists, team_lists

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

FEW, MANY = 100, 10_000
PAGES = 5
_READS = {"Query", "GetItem", "BatchGetItem"}
Item = dict[str, Any]


@contextmanager
def metered() -> Iterator[list[float]]:
    """The read units of every request that is made meanwhile."""
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


def copied(own: list[Item], name: str, numbers: range) -> None:
    """The items under other ids, wherever the old one stands in keys and attributes."""
    text = json.dumps(own)
    put_raw([item for number in numbers for item in json.loads(text.replace(name, f"{name[:-6]}{number:06d}"))])


def totals() -> list[Item]:
    """The totals of lists with one entry."""
    return [item for item in raw_items() if item["kind"]["S"] == "total" and item["number"]["N"] == "1"]


def counted(ones: list[Item], number: int) -> None:
    """Each of them becomes one of so many."""
    put_raw([item | {"number": {"N": str(number)}, "moves": {"N": str(number)}} for item in ones])


def read(path: str, query: dict[str, str]) -> tuple[list[str], list[float]]:
    """What the first pages show, and what each consumes."""
    key_lists.PAGES._places.clear()
    team_lists.PAGES._places.clear()
    shown: list[str] = []
    costs = []
    for page in range(1, PAGES + 1):
        with metered() as units:
            answer = call("GET", path, query=query | {"page": str(page)})
        assert answer.status == 200, answer.text
        shown += [entry["team_id"] for entry in answer.body["teams"]] if "teams" in answer.body else answer.body["keys"]
        costs.append(sum(units))
    assert answer.body["total_pages"] == answer.body.get("total_count", answer.body.get("total")) / 20
    return shown, costs


def test_pages_of_keys() -> None:
    build.organization()
    build.team("acme-000000")
    primary = call("GET", "/key/list").body["keys"]
    token = call("POST", "/key/generate", {"team_id": "acme-000000"}).body["token"]
    call("POST", "/key/delete", {"keys": primary})
    kinds = {"key", "key_link"}
    own = [item for item in raw_items() if item["kind"]["S"] in kinds and token in json.dumps(item)]
    ones, found = totals(), []
    for first, size in ((1, FEW), (FEW, MANY)):
        copied(own, token, range(first, size))
        counted(ones, size)
        lists: list[dict[str, str]] = [{}, {"organization_id": "org_acme"}, {"team_id": "acme-000000"}]
        found.append([read("/key/list", query | {"size": "20"}) for query in lists])
    _flat(found)


def test_pages_of_teams() -> None:
    call("POST", "/team/new", {"team_id": "team-000000"})
    own = [item for item in raw_items() if item["kind"]["S"] == "team"]
    ones, found = totals(), []
    for first, size in ((1, FEW), (FEW, MANY)):
        copied(own, "team-000000", range(first, size))
        counted(ones, size)
        lists: list[dict[str, str]] = [{}, {"organization_id": "default_organization"}]
        found.append([read("/v2/team/list", query | {"page_size": "20"}) for query in lists])
    _flat(found)


def _flat(found: list[list[tuple[list[str], list[float]]]]) -> None:
    """Every page of a long list consumes what it does of a short one, and none is shown twice."""
    for few, many in zip(*found, strict=True):
        assert len(set(few[0])) == len(set(many[0])) == 20 * PAGES
        # The place in the list is a part of every cursor, not of what is read.
        assert max(many[1]) <= max(few[1]) + 2, (few[1], many[1])
