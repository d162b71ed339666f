"""Invariants 1 and 3 at every level at once: keys, users, members, teams, their organization, all with budgets of their own.

What holds at any moment is read from the history of the table's stream, not from the end alone.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal

import pytest

from tests.support import build
from tests.support.books import books
from tests.support.counters import counters
from tests.support.history import History
from tests.support.items import all_items
from tests.support.limits import limit, owned_by
from tests.support.proxy import proxy_client
from tollgate.auth.credentials import key_id_of

pytestmark = pytest.mark.engine

CALLERS = 200
CALLS = 600
TEAMS, USERS, KEYS = 4, 5, 20
TEXT = "one two three four five six seven eight nine ten"
# Sizes that all bind somewhere: a call costs about 0.7 at most and 0.6 in the end.
BUDGETS = {"key": 9, "user": 35, "team": 38, "organization": 110}
CREDITS = (15, 100, 100, 100)
USED_UP = {(422, "budget_exceeded"), (403, "insufficient_credits")}


@dataclass(frozen=True)
class World:
    """Secrets of the keys, and to whom each belongs."""

    keys: dict[str, tuple[str, str]]


def _world() -> World:
    build.organization()
    build.alias("priced", "local/echo", pricing_input="1000", pricing_output="50000", context_window=100)
    build.access_group("priced-models", model_aliases=["priced"])
    keys = {}
    for number in range(TEAMS):
        team_id = f"team-{number}"
        build.team(team_id, access_groups=["priced-models"], credits_allocated=CREDITS[number])
        limit("team", team_id, max_budget=Decimal(BUDGETS["team"]), budget_duration="1mo")
    for number in range(USERS):
        limit("user", f"user-{number}", max_budget=Decimal(BUDGETS["user"]), budget_duration="1d")
    for number in range(KEYS):
        team_id, user_id = f"team-{number % TEAMS}", f"user-{number % USERS}"
        secret = build.issued_key(team_id)["virtual_key"]
        owned_by(key_id_of(secret), user_id)
        limit("key", key_id_of(secret), max_budget=Decimal(BUDGETS["key"]))
        keys[secret] = (team_id, user_id)
    limit("organization", "org_acme", max_budget=Decimal(BUDGETS["organization"]), budget_duration="1w")
    return World(keys)


async def _calls(secrets: list[str], side_by_side: int) -> Counter[tuple[int, str]]:
    busy = asyncio.Semaphore(side_by_side)
    body = {"model": "priced", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 10}
    async with proxy_client("") as client:

        async def one(secret: str) -> tuple[int, str]:
            async with busy:
                headers = {"authorization": f"Bearer {secret}"}
                answer = await client.post("/v1/chat/completions", json=body, headers=headers)
            return answer.status_code, answer.json().get("error", {}).get("type", "")

        return Counter(await asyncio.gather(*(one(secret) for secret in secrets)))


def test_no_level_is_ever_overspent_and_every_level_equals_its_calls(table: None) -> None:
    world = _world()

    history = History()

    storm = asyncio.run(_calls(random.Random(7).choices(list(world.keys), k=CALLS), CALLERS))
    # With nobody else on the way, whoever is refused has really used something up.
    rest = asyncio.run(_calls(list(world.keys) * 12, 1))

    assert set(storm) <= {(200, ""), *USED_UP, (429, "reserved")}
    assert set(rest) <= {(200, ""), *USED_UP}
    assert rest[422, "budget_exceeded"] > 0
    _never_overspent(history)
    _equals_the_calls(world, storm[200, ""] + rest[200, ""])


def _never_overspent(history: History) -> None:
    """At no moment does a counter say more than its limit, nor an account less than nothing."""
    seen = 0
    for image in history.images():
        if not image["SK"].startswith("HOT#"):
            continue
        scope = image.get("scope", "team")
        for name, value in image.items():
            if name.startswith("b") and "@" in name:
                seen += 1
                assert 0 <= value <= BUDGETS[scope], (scope, name, value)
        assert image.get("av", 0) >= 0
    assert seen > CALLS


def _equals_the_calls(world: World, answered: int) -> None:
    records = [item for item in all_items() if item["kind"] == "call"]
    assert len(records) == answered
    spent: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for record in records:
        for scope in ("key", "user", "team", "organization"):
            spent[scope, record[f"{scope}_id"]] += record["cost_usd"]
    for (scope, scope_id), usd in spent.items():
        counted = counters(scope, scope_id)
        assert counted.holds == {}
        assert (counted.spent_usd, sum(counted.windows.values())) == (usd, usd), (scope, scope_id)
    for team_id in {team_id for team_id, _ in world.keys.values()}:
        books(team_id).explain_balance()
