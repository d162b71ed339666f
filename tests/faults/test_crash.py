"""Invariant 2: a process killed (SIGKILL) at any step leaves holds, and the sweeper ends every call exactly once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support import build
from tests.support.books import books
from tests.support.counters import counters
from tests.support.environment import engine
from tests.support.limits import limit, owned_by
from tests.support.proxy import chat, proxy_client
from tollgate.auth.credentials import key_id_of
from tollgate.aws.dynamodb import DynamoDB
from workers import sweep

pytestmark = pytest.mark.engine

PROCESSES = 300
SIDE_BY_SIDE = 6
CALLS_EACH = 4
# Read, reserve, record, settle; each has a moment before it is sent and one after its answer.
STEPS_A_CALL = {"account": 8, "all": 26}


def _arm(step: int, admitted: Path) -> None:
    """Kills this process at its ``step``-th step, and notes every call all of whose reservations were acknowledged."""
    real = DynamoDB.call
    held: Counter[str] = Counter()
    passed = 0

    def tick() -> None:
        nonlocal passed
        passed += 1
        if passed == step:
            os.kill(os.getpid(), signal.SIGKILL)

    async def call(self: DynamoDB, operation: str, payload: dict[str, Any], **options: bool) -> dict[str, Any]:
        tick()
        answer = await real(self, operation, payload, **options)
        if operation == "UpdateItem" and ":hold" in payload["ExpressionAttributeValues"]:
            hold_id = payload["ExpressionAttributeNames"]["#id"]
            held[hold_id] += 1
            if held[hold_id] == int(payload["ExpressionAttributeValues"][":hold"]["M"].get("n", {"N": "1"})["N"]):
                with admitted.open("a") as notes:
                    notes.write(hold_id + "\n")
        tick()
        return answer

    DynamoDB.call = call  # type: ignore[method-assign]


async def _calls(key: str, seed: int) -> None:
    choices = random.Random(seed)
    async with proxy_client(key) as client:
        for _ in range(CALLS_EACH):
            await chat(client, "priced", "some words " * choices.randrange(1, 9), stream=choices.random() < 0.5)


def _fork(key: str, seed: int, admitted: Path, steps: int) -> int:
    """A process of its own that makes calls until it is killed or done; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        step = random.Random(seed).randrange(1, int(CALLS_EACH * steps * 1.2))
        _arm(step, admitted)
        asyncio.run(_calls(key, seed))
    finally:
        os._exit(0)


def _limit_every_level(key: str) -> list[tuple[str, str]]:
    """Budgets and rates that never bind, so that a call holds in five counter items."""
    key_id = key_id_of(key)
    limit("user", "somebody", max_budget=Decimal(10_000), budget_duration="1d")
    owned_by(key_id, "somebody")
    limit("key", key_id, max_budget=Decimal(10_000), tpd_limit=10**9)
    limit("team", "acme-dev", max_budget=Decimal(10_000), budget_duration="1mo")
    limit("organization", "org_acme", max_budget=Decimal(10_000), budget_duration="1w", tpm_limit=10**9)
    limit("platform", "platform", rpm_limit=10**6, max_parallel_requests=10**4)
    return [("user", "somebody"), ("key", key_id), ("team", "acme-dev"), ("organization", "org_acme")]


@pytest.mark.parametrize("levels", ["account", "all"])
@pytest.mark.filterwarnings("ignore:This process")
def test_killed_anywhere_nothing_is_lost_and_nothing_is_double(
    table: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, levels: str
) -> None:
    build.organization()
    build.alias("priced", "local/echo", pricing_input="10", pricing_output="50", max_output_tokens=100)
    build.access_group("priced-models", model_aliases=["priced"])
    key = build.team(access_groups=["priced-models"], credits_allocated=100_000)["virtual_key"]
    limited = _limit_every_level(key) if levels == "all" else []
    admitted = tmp_path / "admitted"
    admitted.touch()

    killed = 0
    for first in range(0, PROCESSES, SIDE_BY_SIDE):
        pids = [_fork(key, seed, admitted, STEPS_A_CALL[levels]) for seed in range(first, first + SIDE_BY_SIDE)]
        killed += sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL for pid in pids)
    before = books("acme-dev")
    # Holds expire long after the function's deadline: the sweeper sees them when that time has come.
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    swept = sweep.handler({}, None)
    again = sweep.handler({}, None)
    monkeypatch.undo()

    state = books("acme-dev")
    state.explain_balance()
    assert killed > PROCESSES / 2
    assert before.holds, "no process died between reserve and settle"
    assert (swept["holds"] >= len(before.holds), again["holds"]) == (True, 0)
    assert state.holds == {}
    recorded = Counter(record["PK"].removeprefix("CALL#") for record in state.records)
    assert set(recorded.values()) == {1}
    assert set(admitted.read_text().split()) <= set(recorded), "an admitted call has no record"
    for record in state.records:
        if record["outcome"] == "interrupted":
            assert (record["credits_charged"], record["estimated"]) == (record["credits_reserved"], True)
        else:
            assert record["outcome"] == "success"
    assert _due_items() == []
    for scope, scope_id in limited:
        counted = counters(scope, scope_id)
        spent = sum(record["cost_usd"] for record in state.records if record.get(f"{scope}_id") == scope_id)
        assert counted.holds == {}
        assert counted.spent_usd == spent
        assert sum(value for name, value in counted.windows.items() if name.startswith("b")) == spent


def _due_items() -> list[Any]:
    client = engine.client("dynamodb")
    found = client.scan(TableName=os.environ["TABLE_NAME"], IndexName="DUE")
    items: list[Any] = found["Items"]
    return items
