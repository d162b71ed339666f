"""Shares of a budget and users of a shared row under parallel writes, on a real engine: the sums stay true."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build
from tests.support.items import all_items
from tests.support.races import persistently
from tollgate.core.errors import TollgateError, WrongStateError
from tollgate.teams.model import UpdateTeam
from tollgate.tenants.teams import team_service

pytestmark = pytest.mark.engine

TEAMS = [f"team-{number}" for number in range(6)]
WRITES = 60


def written(wanted: list[tuple[str, dict[str, Any]]]) -> list[TollgateError]:
    """Updates of teams, eight at a time, asked for until they are done or refused for good: the refusals."""
    ask = persistently(lambda one: team_service().update(build.owner(), one[0], UpdateTeam.model_validate(one[1])))

    def refusal_of(one: tuple[str, dict[str, Any]]) -> TollgateError | None:
        try:
            ask(one)
        except TollgateError as refusal:
            return refusal
        return None

    with ThreadPoolExecutor(8) as pool:
        return [refusal for refusal in pool.map(refusal_of, wanted) if refusal is not None]


def test_parallel_shares_never_exceed_the_budget(table: None) -> None:
    build.organization(max_budget=100, budget_duration="1mo")
    for team in TEAMS:
        build.team(team)
    chance = random.Random(7)
    wanted = [
        (chance.choice(TEAMS), {"allocated_budget": chance.choice([None, 10, 20, 45, 70])}) for _ in range(WRITES)
    ]

    refusals = written(wanted)

    assert {(type(refusal), refusal.stable_code) for refusal in refusals} == {(WrongStateError, "budget_allocated")}
    assert len(refusals) < WRITES
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

    assert (
        written([(chance.choice(TEAMS), {"budget_id": chance.choice(["", "one", "two"])}) for _ in range(WRITES)]) == []
    )

    items = all_items()
    named = [
        str(item["limits"]["budget_id"])
        for item in items
        if item["kind"] == "team" and "budget_id" in item.get("limits", {})
    ]
    uses = {item["budget_id"]: item["uses"] for item in items if item["kind"] == "budget"}
    assert uses == {row: named.count(row) for row in ("one", "two")}
