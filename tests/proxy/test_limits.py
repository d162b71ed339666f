"""Budgets and rate limits at every level, at the level of single calls (Q-12, Q-13, Q-15, Q-43, Q-53)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, cost, error
from tests.support.counters import counters
from tests.support.limits import limit
from tests.support.upstream import answer, usage
from tollgate.core.money import strip

# What a call of the tests costs.
CALL = usage(100, 50)
COST = strip(cost(100, 50))


@pytest.fixture
def calls(plane: Plane, team: dict[str, Any]) -> Plane:
    plane.provider.does(MODEL, answer(used=CALL))
    return plane


@pytest.mark.parametrize(
    ("scope", "scope_id", "told"),
    [
        ("team", "acme-dev", "Team=acme-dev "),
        ("organization", "org_acme", "Organization=org_acme "),
        ("platform", "platform", ""),
        ("tag", "blue", "Tag=blue "),
    ],
)
def test_a_budget_that_is_used_up(calls: Plane, scope: str, scope_id: str, told: str) -> None:
    fields = {"metadata": {"tags": ["blue"]}, "max_tokens": 50}
    limit(scope, scope_id, max_budget=1, budget_duration="1mo")
    assert calls.chat(**fields).status_code == 200
    limit(scope, scope_id, max_budget=COST, budget_duration="1mo")

    refused = calls.chat(**fields)

    assert (refused.status_code, refused.json()) == (
        422,
        error(
            422,
            "budget_exceeded",
            f"Budget has been exceeded! {told}Current cost: {COST}, Max budget: {COST}",
            scope=scope,
            scope_id=scope_id,
            limit=float(COST),
            limit_type="max_budget",
            spent=float(COST),
            reserved=0,
            resets_at=_next_month(),
        ),
    )
    assert counters(scope, scope_id).spent_usd == COST
    assert len(calls.books().records) == 1


def _next_month() -> str:
    now = datetime.now(UTC)
    first = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    return first.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_requests_per_minute(calls: Plane) -> None:
    limit("team", "acme-dev", rpm_limit=2)
    first, second, third = (calls.chat(max_tokens=50) for _ in range(3))
    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert (first.headers["x-ratelimit-remaining-requests"], second.headers["x-ratelimit-remaining-requests"]) == (
        "1",
        "0",
    )
    assert third.json()["error"]["type"] == "throttling_error"
    assert third.headers["rate_limit_type"] == "requests"
    assert 1 <= int(third.headers["retry-after"]) <= 60
