"""Invariant 2: a process killed (SIGKILL) at any step leaves holds, and the sweeper ends every call exactly once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support import build
from tests.support.books import books
from tests.support.environment import engine
from tests.support.proxy import chat, proxy_client
from tollgate.aws.dynamodb import DynamoDB
from workers import sweep

pytestmark = pytest.mark.engine

PROCESSES = 300
SIDE_BY_SIDE = 6
CALLS_EACH = 4
# Read, reserve, record, settle; each has a moment before it is sent and one after its answer.
STEPS_A_CALL = 8


def _arm(step: int, admitted: Path) -> None:
    """Kills this process at its ``step``-th step, and notes every reservation that was acknowledged."""
    real = DynamoDB.call
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
            with admitted.open("a") as notes:
                notes.write(payload["ExpressionAttributeNames"]["#id"] + "\n")
        tick()
        return answer

    DynamoDB.call = call  # type: ignore[method-assign]


async def _calls(key: str, seed: int) -> None:
    choices = random.Random(seed)
    async with proxy_client(key) as client:
        for _ in range(CALLS_EACH):
            await chat(client, "priced", "some words " * choices.randrange(1, 9), stream=choices.random() < 0.5)


def _fork(key: str, seed: int, admitted: Path) -> int:
    """A process of its own that makes calls until it is killed or done; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        step = random.Random(seed).randrange(1, int(CALLS_EACH * STEPS_A_CALL * 1.2))
        _arm(step, admitted)
        asyncio.run(_calls(key, seed))
    finally:
        os._exit(0)


@pytest.mark.filterwarnings("ignore:This process")
def test_killed_anywhere_nothing_is_lost_and_nothing_is_double(
    table: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.organization()
    build.alias("priced", "local/echo", pricing_input="10", pricing_output="50", max_output_tokens=100)
    build.access_group("priced-models", model_aliases=["priced"])
    key = build.team(access_groups=["priced-models"], credits_allocated=100_000)["virtual_key"]
    admitted = tmp_path / "admitted"
    admitted.touch()

    killed = 0
    for first in range(0, PROCESSES, SIDE_BY_SIDE):
        pids = [_fork(key, seed, admitted) for seed in range(first, first + SIDE_BY_SIDE)]
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
    assert (swept["holds"], again["holds"]) == (len(before.holds), 0)
    assert state.holds == {}
    counted = Counter(record["PK"].removeprefix("CALL#") for record in state.records)
    assert set(counted.values()) == {1}
    assert set(admitted.read_text().split()) <= set(counted), "an admitted call has no record"
    for record in state.records:
        if record["outcome"] == "interrupted":
            assert (record["credits_charged"], record["estimated"]) == (record["credits_reserved"], True)
        else:
            assert record["outcome"] == "success"
    assert _due_items() == []


def _due_items() -> list[Any]:
    client = engine.client("dynamodb")
    found = client.scan(TableName=os.environ["TABLE_NAME"], IndexName="DUE")
    items: list[Any] = found["Items"]
    return items
