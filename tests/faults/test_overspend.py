"""Invariants 1 and 3 under concurrency: parallel callers never get a cent more than the balance."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from tests.support import build
from tests.support.books import books
from tests.support.proxy import chat, proxy_client

pytestmark = pytest.mark.engine

CALLERS = 64
# Ten words; echo gives them back, so every call uses the same tokens.
TEXT = "one two three four five six seven eight nine ten"


def _priced_team(credits_allocated: int) -> str:
    """A team whose every call costs the same, dearly enough that few fit its credits."""
    build.organization()
    build.alias("priced", "local/echo", pricing_input="1000", pricing_output="50000", context_window=100)
    build.access_group("priced-models", model_aliases=["priced"])
    key: str = build.team(access_groups=["priced-models"], credits_allocated=credits_allocated)["virtual_key"]
    return key


async def _storm(key: str, calls: int, **fields: object) -> list[tuple[int, str]]:
    async with proxy_client(key) as client:
        limit = asyncio.Semaphore(CALLERS)

        async def one() -> tuple[int, str]:
            async with limit:
                answer = await chat(client, "priced", TEXT, **fields)
            return answer.status_code, answer.json().get("error", {}).get("type", "")

        return list(await asyncio.gather(*(one() for _ in range(calls))))


def test_64_parallel_callers_get_exactly_what_is_paid_for(table: None) -> None:
    key = _priced_team(20)

    outcomes = Counter(asyncio.run(_storm(key, 400, max_tokens=10)))

    state = books("acme-dev")
    state.explain_balance()
    assert state.holds == {}
    assert state.available >= 0
    assert set(outcomes) <= {(200, ""), (403, "insufficient_credits"), (429, "reserved")}
    assert outcomes[200, ""] == len(state.records) > 0
    # What is left does not carry the input and one token more: nobody was refused who could have paid.
    assert state.available < Decimal("0.10") + Decimal("0.05")


def test_a_refused_call_costs_nothing_and_leaves_no_trace(table: None) -> None:
    key = _priced_team(0)

    outcomes = Counter(asyncio.run(_storm(key, 64, max_tokens=10)))

    state = books("acme-dev")
    assert outcomes == {(403, "insufficient_credits"): 64}
    assert (state.available, state.holds, state.records, state.calls) == (0, {}, [], 0)
