"""Who pays, how far, and what a team's share of its organization's budget is: through the API, call by call."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, cost
from tests.support import build
from tests.support.api import call
from tests.support.counters import counters
from tests.support.upstream import answer, usage
from tollgate.core.money import strip

# Nearly as much as is reserved for the shortest of prompts, so that what is left decides.
USED = usage(600, 50)
COST = strip(cost(600, 50))
FIELDS: dict[str, Any] = {"max_tokens": 50}
TEAM, ORGANIZATION = {"team_id": "acme-dev"}, {"organization_id": "org_acme"}


@pytest.fixture
def calls(plane: Plane, team: dict[str, Any]) -> Plane:
    plane.provider.does(MODEL, answer(used=USED))
    return plane


def _put(path: str, **fields: Any) -> Any:
    made = call("PUT", path, fields)
    assert made.status == 200, made.text
    return made.body


def _settings(owner: dict[str, str], **fields: Any) -> None:
    made = call("PUT", "/api/credits/settings", fields, query=owner)
    assert made.status == 200, made.text


def _balance(owner: dict[str, str]) -> Decimal:
    return Decimal(str(call("GET", "/api/credits/balance", query=owner).body["credits_remaining"]))


def _emptied(plane: Plane) -> None:
    """Takes all credits but ``COST`` from the team."""
    made = call("POST", "/api/credits/adjust", {**TEAM, "amount": float(COST - 1000), "reason": "test"})
    assert made.status == 200, made.text
    assert _balance(TEAM) == COST


def test_a_soft_account_goes_below_zero(calls: Plane) -> None:
    _emptied(calls)
    assert calls.chat(max_tokens=900).headers["x-tollgate-credits-remaining"] == "0"
    assert calls.chat(**FIELDS).status_code == 403

    _settings(TEAM, limit_mode="soft")

    assert calls.chat(**FIELDS).headers["x-tollgate-credits-remaining"] == f"-{COST}"
    assert calls.books().available == -COST


def test_a_soft_account_that_is_suspended_at_zero(calls: Plane) -> None:
    _emptied(calls)
    _settings(TEAM, limit_mode="soft", suspend_at_zero=True)
    # More is left than nothing, so the call may cost what it costs.
    assert calls.chat(max_tokens=900).status_code == 200

    refused = calls.chat(**FIELDS)

    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "insufficient_credits")
    assert call("POST", "/api/credits/add", {**TEAM, "amount": 1}).status == 200
    assert calls.chat(**FIELDS).status_code == 200


def test_an_unlimited_account_only_counts(calls: Plane) -> None:
    _emptied(calls)
    _settings(TEAM, limit_mode="unlimited", credit_limit=0.001)
    assert [calls.chat(**FIELDS).status_code for _ in range(3)] == [200] * 3
    assert _balance(TEAM) == -2 * COST


def test_a_credit_limit_ends_with_its_period(calls: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    _settings(TEAM, credit_limit=1, auto_refill=True, refill_amount=1, refill_period="daily")
    assert calls.chat(**FIELDS).status_code == 200
    _settings(TEAM, credit_limit=float(COST))

    refused = calls.chat(**FIELDS)

    told = refused.json()["error"]
    assert (refused.status_code, told["type"], told["limit_type"]) == (403, "insufficient_credits", "credit_limit")
    assert (told["spent"], told["limit"], told["resets_at"] is not None) == (float(COST), float(COST), True)
    _settings(TEAM, credit_limit=1)
    tomorrow = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert calls.chat(**FIELDS).status_code == 200


def test_the_organization_pays_for_a_team_that_says_so(calls: Plane) -> None:
    _put("/api/teams/acme-dev", credits_source="organization")
    refused = calls.chat(**FIELDS)
    assert (refused.status_code, refused.json()["error"]["scope"]) == (403, "organization")
    assert call("POST", "/api/credits/add", {**ORGANIZATION, "amount": 5}).status == 200

    assert calls.chat(**FIELDS).headers["x-tollgate-credits-remaining"] == str(5 - COST)

    assert (_balance(ORGANIZATION), _balance(TEAM)) == (5 - COST, 1000)
    _put("/api/teams/acme-dev", credits_source="none")
    assert "x-tollgate-credits-remaining" not in calls.chat(**FIELDS).headers
    assert (_balance(ORGANIZATION), _balance(TEAM)) == (5 - COST, 1000)


def test_a_share_is_the_teams_alone_and_the_rest_is_for_the_others(calls: Plane) -> None:
    other = build.team("other-dev", access_groups=["*"], credits_allocated=10)["virtual_key"]
    _put("/api/organizations/org_acme", max_budget=1, budget_duration="1mo")
    _put("/api/teams/acme-dev", allocated_budget=float(1 - COST))
    mine = calls.key

    calls.key = other
    assert [calls.chat(**FIELDS).status_code for _ in range(2)] == [200, 422]
    calls.key = mine
    assert calls.chat(**FIELDS).status_code == 200

    assert counters("organization", "org_acme").spent_usd == COST
    assert [value for name, value in counters("team", "acme-dev").windows.items() if name.startswith("a1mo")] == [COST]
    too_much = call("PUT", "/api/teams/other-dev", {"allocated_budget": float(2 * COST)})
    assert too_much.status == 409
    _put("/api/teams/acme-dev", allocated_budget=float(COST))
    refused = calls.chat(**FIELDS).json()["error"]
    assert (refused["type"], refused["scope"], refused["limit_type"]) == (
        "budget_exceeded",
        "organization",
        "allocated_budget",
    )


def test_what_a_window_left_is_added_once(calls: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two and a half calls a day: one today leaves one and a half, so four tomorrow, and two the day after."""
    _put("/api/organizations/org_acme", max_budget=float(COST * Decimal("2.5")), budget_duration="1d", rollover="next")
    today = time.time()
    monkeypatch.setattr(time, "time", lambda: today)
    assert calls.chat(**FIELDS).status_code == 200
    made = []
    for days in (1, 2):
        monkeypatch.setattr(time, "time", lambda days=days: today + days * 86_400)
        statuses = [calls.chat(**FIELDS).status_code for _ in range(6)]
        made.append(statuses.count(200))
        assert set(statuses) == {200, 422}
    assert made == [4, 2]
