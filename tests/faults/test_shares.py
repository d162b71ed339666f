"""Shares of a budget and users of a shared row under parallel writes, on a real engine: the sums stay true."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from tests.support import build
from tests.support.api import call
from tests.support.items import all_items

pytestmark = pytest.mark.engine

TEAMS = [f"team-{number}" for number in range(6)]
WRITES = 60


def test_parallel_shares_never_exceed_the_budget(table: None) -> None:
    build.organization(max_budget=100, budget_duration="1mo")
    for team in TEAMS:
        build.team(team)
    chance = random.Random(7)
    wanted = [(chance.choice(TEAMS), chance.choice([None, 10, 20, 45, 70])) for _ in range(WRITES)]

    def write(entry: tuple[str, int | None]) -> int:
        return call("PUT", f"/api/teams/{entry[0]}", {"allocated_budget": entry[1]}).status

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(write, wanted))
    assert set(answers) <= {200, 409}
    assert 200 in answers
    items = all_items()
    (organization,) = [item for item in items if item["kind"] == "organization"]
    shares = sum((item.get("allocated_budget", Decimal(0)) for item in items if item["kind"] == "team"), Decimal(0))
    assert organization["allocated_total"] == shares <= 100


def test_a_shared_row_knows_its_users(table: None) -> None:
    build.organization()
    for row in ("one", "two"):
        build.budget("shared", row, max_budget=1)
    for team in TEAMS:
        build.team(team, budget_id="one")
    chance = random.Random(7)
    wanted = [(chance.choice(TEAMS), chance.choice(["", "one", "two"])) for _ in range(WRITES)]

    def write(entry: tuple[str, str]) -> int:
        return call("PUT", f"/api/teams/{entry[0]}", {"budget_id": entry[1]}).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, wanted)) <= {200, 409}
    items = all_items()
    named = [
        str(item["limits"]["budget_id"])
        for item in items
        if item["kind"] == "team" and "budget_id" in item.get("limits", {})
    ]
    uses = {item["budget_id"]: item["uses"] for item in items if item["kind"] == "budget"}
    assert uses == {row: named.count(row) for row in ("one", "two")}
