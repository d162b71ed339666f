"""Hot accounts: invariants 1 and 3 where an account is spread over several counter items (decision 18)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build
from tests.support.books import books
from tests.support.counters import counters
from tests.support.history import History
from tests.support.limits import limit
from tests.support.proxy import proxy_client
from tollgate.aws.dynamodb import DynamoDB
from tollgate.teams.model import UpdateTeam
from tollgate.tenants.teams import team_service
from workers import sweep

pytestmark = pytest.mark.engine

CALLERS = 200
CALLS = 600
SHARDS = 8
PROCESSES = 90
SIDE_BY_SIDE = 6
# A process is killed at one of these requests: look, reserve, divide, record, settle, each before or after.
STEPS = 40
MOST = Decimal(150)
# A call holds 0.60 at most and costs 0.512 in the end: echo gives the ten words back.
TEXT = "one two three four five six seven eight nine ten"
BODY = {"model": "priced", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 10}
ZERO = Decimal(0)


def _team(credits_allocated: int, shards: int = SHARDS) -> str:
    build.organization()
    build.alias("priced", "local/echo", pricing_input="1000", pricing_output="50000", context_window=100)
    build.access_group("priced-models", model_aliases=["priced"])
    key: str = build.team(access_groups=["priced-models"], credits_allocated=credits_allocated)["virtual_key"]
    spread(shards)
    return key


def spread(shards: int) -> None:
    """By the service, because calls may go on in another thread."""
    team = team_service().update(build.owner(), "acme-dev", UpdateTeam(account_shards=shards))
    assert team.account_shards == shards


async def _storm(key: str, calls: int, side_by_side: int, body: dict[str, Any] | None = None) -> Counter[Any]:
    busy = asyncio.Semaphore(side_by_side)
    async with proxy_client(key) as client:

        async def one() -> tuple[int, str]:
            async with busy:
                answer = await client.post("/v1/chat/completions", json=body or BODY)
            return answer.status_code, answer.json().get("error", {}).get("type", "")

        return Counter(await asyncio.gather(*(one() for _ in range(calls))))


class Shards:
    """The items of one account as the stream tells them, one write or one transaction after the other."""

    def __init__(self) -> None:
        self._history = History()

    def states(self) -> list[dict[str, dict[str, Any]]]:
        """All shards after each write. A transaction's writes come one by one, so sums are only checked over holds."""
        now: dict[str, dict[str, Any]] = {}
        found = []
        for image in self._history.images():
            if image["SK"].startswith("HOT#") and image.get("team_id") == "acme-dev":
                now = {**now, image["SK"]: image}
                found.append(now)
        return found


def test_200_callers_on_8_shards_get_exactly_the_credits(table: None) -> None:
    key = _team(60)
    shards = Shards()

    storm = asyncio.run(_storm(key, CALLS, CALLERS))
    rest = asyncio.run(_storm(key, 5, 1))

    assert set(storm) <= {(200, ""), (403, "insufficient_credits"), (429, "reserved")}
    # With nobody else on the way, whoever is refused could really not pay.
    assert set(rest) <= {(200, ""), (403, "insufficient_credits")}
    assert rest[403, "insufficient_credits"] > 0
    state = books("acme-dev")
    state.explain_balance()
    assert state.holds == {}
    assert len(state.records) == storm[200, ""] + rest[200, ""]
    # Not even the input and one token more fit.
    assert ZERO <= state.available < Decimal("0.15")
    states = shards.states()
    assert len(states) > 2 * storm[200, ""]
    assert len(states[-1]) == SHARDS
    assert all(item["av"] >= 0 for state in states for item in state.values())


def test_200_callers_on_8_shards_never_pass_a_budget(table: None) -> None:
    key = _team(1000)
    limit("team", "acme-dev", max_budget=Decimal(60), budget_duration="1mo", rpm_limit=100_000)
    shards = Shards()

    storm = asyncio.run(_storm(key, CALLS, CALLERS))
    rest = asyncio.run(_storm(key, 5, 1))

    assert set(storm) <= {(200, ""), (422, "budget_exceeded"), (429, "reserved")}
    assert set(rest) <= {(200, ""), (422, "budget_exceeded")}
    assert rest[422, "budget_exceeded"] > 0
    counted = counters("team", "acme-dev")
    (spent,) = [value for name, value in counted.windows.items() if name.startswith("b")]
    assert counted.holds == {}
    assert spent == counted.spent_usd == sum((record["cost_usd"] for record in books("acme-dev").records), ZERO)
    assert Decimal("59.85") < spent <= 60
    for state in shards.states():
        assert _reserved_and_spent(state) <= 60


def _reserved_and_spent(state: dict[str, dict[str, Any]]) -> Decimal:
    """What calls hold and have used: divisions of the limit, which move counters between shards, do not change it."""
    held = sum((hold.get("u", hold.get("a", ZERO)) for item in state.values() for hold in item["h"].values()), ZERO)
    return held + sum((item["us"] for item in state.values()), ZERO)


def test_shards_are_added_and_taken_away_while_calls_go_on(table: None) -> None:
    key = _team(90, shards=1)
    limit("team", "acme-dev", max_budget=Decimal(80), budget_duration="1mo", max_parallel_requests=150)
    shards = Shards()

    async def calls_and_changes() -> Counter[Any]:
        storm = asyncio.create_task(_storm(key, 400, 60))
        for number in (4, 2, SHARDS, 1, 3):
            await asyncio.sleep(0.5)
            await asyncio.to_thread(spread, number)
        return await storm

    storm = asyncio.run(calls_and_changes())
    rest = asyncio.run(_storm(key, 5, 1))

    assert set(storm) <= {(200, ""), (422, "budget_exceeded"), (403, "insufficient_credits"), (429, "reserved")}
    assert rest[422, "budget_exceeded"] > 0
    state = books("acme-dev")
    state.explain_balance()
    counted = counters("team", "acme-dev")
    assert (state.holds, counted.spent_usd) == ({}, sum(counted.windows.values(), ZERO))
    assert Decimal("79.85") < state.spent_usd <= 80
    for items in shards.states():
        assert _reserved_and_spent(items) <= 80


def _arm(step: int) -> None:
    """Kills this process at its ``step``-th request to the table: just before it is sent, or just after its answer."""
    real, passed = DynamoDB.call, 0

    def tick() -> None:
        nonlocal passed
        passed += 1
        if passed == step:
            os.kill(os.getpid(), signal.SIGKILL)

    async def call(self: DynamoDB, operation: str, payload: dict[str, Any], **options: bool) -> dict[str, Any]:
        tick()
        answer = await real(self, operation, payload, **options)
        if operation == "TransactWriteItems":
            os.write(_divisions, b".")
        tick()
        return answer

    DynamoDB.call = call  # type: ignore[method-assign]


def _fork(key: str, step: int) -> int:
    """A process of its own that makes calls, two at a time, until it is killed or done; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _arm(step)
        asyncio.run(_storm(key, 6, 2))
    finally:
        os._exit(0)


_divisions = -1


@pytest.mark.filterwarnings("ignore:This process")
def test_killed_anywhere_the_shards_add_up(table: None, monkeypatch: pytest.MonkeyPatch) -> None:
    key = _team(200, shards=4)
    read, write = os.pipe()
    monkeypatch.setattr(sys.modules[__name__], "_divisions", write)

    killed = 0
    for first in range(1, PROCESSES, SIDE_BY_SIDE):
        # Another limit every time, so that it has to be divided anew while processes die.
        limit("team", "acme-dev", max_budget=MOST - PROCESSES + first, budget_duration="1mo")
        pids = [_fork(key, 1 + step % STEPS) for step in range(first, first + SIDE_BY_SIDE)]
        killed += sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL for pid in pids)
    os.close(write)
    divided = len(os.read(read, 10_000))
    before = books("acme-dev")
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    swept, again = sweep.handler({}, None), sweep.handler({}, None)
    monkeypatch.undo()

    assert killed > PROCESSES / 2
    assert divided > SIDE_BY_SIDE
    assert before.holds, "no process died between reserve and settle"
    assert (swept["holds"], again["holds"]) == (len(before.holds), 0)
    state = books("acme-dev")
    state.explain_balance()
    counted = counters("team", "acme-dev")
    assert (state.holds, state.spent_usd) == ({}, sum(counted.windows.values(), ZERO))
    assert state.spent_usd <= MOST
    limit("team", "acme-dev", max_budget=state.spent_usd + 5, budget_duration="1mo")
    rest = asyncio.run(_storm(key, 15, 1))
    assert rest[422, "budget_exceeded"] > 0
    assert Decimal("4.85") < books("acme-dev").spent_usd - state.spent_usd <= 5
