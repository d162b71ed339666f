"""An account that is spread over shards behaves towards its callers like one that is not (decision 18)."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call
from tests.support.books import books
from tests.support.counters import counters
from tests.support.limits import limit
from tests.support.proxy import proxy_client

SHARDS = 8
TEXT = "one two three four five six seven eight nine ten"
# 62 tokens in and nine back; a call holds 100 and ten at first.
COST = Decimal("0.512")


@pytest.fixture
def key(table: None) -> str:
    """A team of ten credits, spread over eight shards; calls cost 0.512."""
    build.organization()
    build.alias("priced", "local/echo", pricing_input="1000", pricing_output="50000", context_window=100)
    build.access_group("priced-models", model_aliases=["priced"])
    secret: str = build.team(access_groups=["priced-models"], credits_allocated=10)["virtual_key"]
    spread(SHARDS)
    return secret


def spread(shards: int, path: str = "/api/teams/acme-dev") -> None:
    assert call("PUT", path, {"account_shards": shards}).status == 200


def _chat(key: str, times: int = 1, **fields: Any) -> list[Any]:
    body = {"model": "priced", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 10} | fields

    async def calls() -> list[Any]:
        async with proxy_client(key) as client:
            return [await client.post("/v1/chat/completions", json=body) for _ in range(times)]

    return asyncio.run(calls())


def _outcomes(answers: list[Any]) -> Counter[Any]:
    return Counter((answer.status_code, answer.json().get("error", {}).get("type", "")) for answer in answers)


def test_the_balance_is_that_of_all_shards(key: str) -> None:
    answers = _chat(key, 3)

    told = [answer.headers["x-tollgate-credits-remaining"] for answer in answers]
    assert told == ["9.488", "8.976", "8.464"]
    books("acme-dev").explain_balance()


def test_a_call_that_no_shard_could_carry_alone_is_carried_by_all(key: str) -> None:
    # It holds 9.1 credits, 9.1 USD and 280 tokens, while an eighth is 1.25 and 37.
    limit("team", "acme-dev", max_budget=Decimal(10), tpm_limit=300)

    (answer,) = _chat(key, max_tokens=180)

    assert (answer.status_code, answer.headers.get("x-tollgate-max-tokens")) == (200, None)
    counted = counters("team", "acme-dev")
    assert (counted.spent_usd, counted.tokens, counted.holds) == (Decimal("1.212"), 85, {})
    assert {name[0]: value for name, value in counted.windows.items()} == {"b": Decimal("1.212"), "t": 85}


def test_a_refusal_has_the_figures_of_all_shards(key: str) -> None:
    limit("team", "acme-dev", max_budget=Decimal("1.65"), budget_duration="1mo")
    answers = _chat(key, 3)

    (refused,) = _chat(key)

    assert _outcomes(answers) == {(200, ""): 3}
    refusal = refused.json()["error"]
    figures = {name: refusal[name] for name in ("scope", "limit", "limit_type", "spent", "reserved")}
    assert (refused.status_code, figures) == (
        422,
        {"scope": "team", "limit": 1.65, "limit_type": "max_budget", "spent": 1.536, "reserved": 0},
    )
    assert "Current cost: 1.536, Max budget: 1.65" in refusal["message"]


def test_credits_are_used_up_by_all_shards_together(key: str) -> None:
    answers = _chat(key, 24)

    assert set(_outcomes(answers)) == {(200, ""), (403, "insufficient_credits")}
    refusal = answers[-1].json()["error"]
    state = books("acme-dev")
    assert (refusal["limit"], refusal["spent"]) == (10, float(state.charged))
    state.explain_balance()
    assert state.available < Decimal("0.15")


def test_rates_are_those_of_all_shards(key: str) -> None:
    # Fewer than there are shards: some have no part at all.
    limit("team", "acme-dev", rpm_limit=3, max_parallel_requests=1)

    answers = _chat(key, 5)

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json()["error"]["limit_type"] == "rpm_limit"
    assert answers[-1].json()["error"]["spent"] == 3


def test_a_lower_limit_counts_at_once_for_all_shards(key: str) -> None:
    limit("team", "acme-dev", max_budget=Decimal(8))
    before = _chat(key, 5)
    limit("team", "acme-dev", max_budget=Decimal("3.1"))

    after = _chat(key, 3)

    assert _outcomes(before) == {(200, ""): 5}
    # Not quite a call is left: it is cut to that, and then nothing is.
    assert [answer.status_code for answer in after] == [200, 422, 422]
    assert Decimal("2.95") < books("acme-dev").spent_usd <= Decimal("3.1")


@pytest.mark.parametrize("shards", [1, 2, 16])
def test_another_number_of_shards_loses_nothing(key: str, shards: int) -> None:
    limit("team", "acme-dev", max_budget=Decimal(3), budget_duration="1mo")
    limit("organization", "org_acme", max_budget=Decimal(100), rpm_limit=50)
    spread(4, "/api/organizations/org_acme")
    before = _chat(key, 3)
    spread(shards)
    spread(shards, "/api/organizations/org_acme")

    after = _chat(key, 5)

    # The last two that pass are cut to what is left.
    assert _outcomes([*before, *after]) == {(200, ""): 7, (422, "budget_exceeded"): 1}
    state = books("acme-dev")
    state.explain_balance()
    assert state.spent_usd == 5 * COST + Decimal("0.262") + Decimal("0.062")
    counted = counters("organization", "org_acme")
    assert {name[0]: value for name, value in counted.windows.items()} == {"b": state.spent_usd, "r": 7}


def test_a_budget_that_is_set_later_begins_once_for_all_shards(key: str) -> None:
    _chat(key, 2)
    # Set through the API: the window that is running is counted from now on, and nothing has been rolled up yet.
    build.budget("team", "acme-dev", max_budget=1.3, budget_duration="1mo")

    answers = _chat(key, 4)

    assert set(_outcomes(answers)) == {(200, ""), (422, "budget_exceeded")}
    (counted,) = [value for name, value in counters("team", "acme-dev").windows.items() if "~" in name]
    assert Decimal("1.15") < counted <= Decimal("1.3")


def test_a_soft_budget_alone_is_counted_and_refuses_nothing(key: str) -> None:
    limit("team", "acme-dev", soft_budget=Decimal("0.1"), budget_duration="1d")

    assert _outcomes(_chat(key, 4)) == {(200, ""): 4}

    assert sum(counters("team", "acme-dev").windows.values()) == 4 * COST
