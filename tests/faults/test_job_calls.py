"""Jobs under concurrency: an account carries as many as it has credits for, and what it set apart is what they take."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build
from tests.support.books import books
from tests.support.items import all_items
from tests.support.proxy import proxy_client

pytestmark = pytest.mark.engine

TEAM = "acme-dev"
CALL: dict[str, Any] = {"model": "priced", "messages": [{"role": "user", "content": "one two three"}], "max_tokens": 5}


def _team(credits_allocated: int, **fields: Any) -> str:
    build.organization()
    build.alias("priced", "local/echo", pricing_input="10", pricing_output="50", context_window=100)
    build.access_group("priced-models", model_aliases=["priced"])
    key: str = build.team(access_groups=["priced-models"], credits_allocated=credits_allocated, **fields)["virtual_key"]
    return key


async def _in_parallel(key: str, paths: list[str], body: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    async with proxy_client(key) as client:

        async def one(path: str) -> tuple[int, dict[str, Any]]:
            answer = await client.post(f"/api/jobs/{path}", json=body)
            return answer.status_code, answer.json()

        return list(await asyncio.gather(*map(one, paths)))


def _jobs(status: str) -> list[dict[str, Any]]:
    return [item for item in all_items() if item["kind"] == "job" and item["status"] == status]


def test_fifty_jobs_on_ten_credits(table: None) -> None:
    """Ten run and are charged, forty are refused as the contract says, and nothing is left."""
    key = _team(10)

    answers = asyncio.run(_in_parallel(key, ["create-and-call"] * 50, {"team_id": TEAM, "job_type": "storm", **CALL}))

    assert Counter((status, body.get("code")) for status, body in answers) == {
        (200, None): 10,
        (403, "insufficient_credits"): 40,
    }
    assert all(body["costs"]["credit_applied"] for status, body in answers if status == 200)
    assert all(
        "Insufficient credits. Team has 0 credits" in body["detail"] for status, body in answers if status == 403
    )
    state = books(TEAM)
    state.explain_balance()
    assert (state.available, state.promised, state.holds) == (0, 0, {})
    assert sum((entry["credits_amount"] for entry in state.ledger), Decimal(0)) == 0
    assert (len(_jobs("completed")), len(_jobs("pending") + _jobs("in_progress"))) == (10, 0)


@pytest.mark.parametrize("mode", ["job_based", "consumption_usd"])
def test_parallel_calls_of_one_job_set_apart_what_all_of_them_may_take(table: None, mode: str) -> None:
    key = _team(100, budget_mode=mode, credits_per_dollar=1000)
    made = build.job(team_id=TEAM)

    answers = asyncio.run(_in_parallel(key, [f"{made['job_id']}/llm-call"] * 20, CALL))

    assert Counter(status for status, _ in answers) == {200: 20}
    counter = next(item for item in all_items() if item["PK"] == f"ACCOUNT#{made['job_id']}")
    spent = sum((item["cost_usd"] for item in all_items() if item["kind"] == "call"), Decimal(0))
    assert (counter["cn"], counter["jf"], counter["us"], counter["h"]) == (20, 0, spent, {})
    state = books(TEAM)
    state.explain_balance()
    assert state.promised == counter["pr"]
    assert counter["pr"] >= (1 if mode == "job_based" else spent * 1000)
