"""Budgets and rate limits at every level, call by call (Q-12, Q-13, Q-15, Q-43, Q-49, Q-53)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, cost, error
from tests.support.counters import counters
from tests.support.limits import limit, owned_by
from tests.support.upstream import answer, usage
from tollgate.auth.credentials import key_id_of
from tollgate.core.money import strip

# What a call of the tests costs.
CALL = usage(100, 50)
COST = strip(cost(100, 50))
FIELDS: dict[str, Any] = {"max_tokens": 50, "user": "customer-1", "metadata": {"tags": ["blue"]}}
# Each scope, and what its budget's refusal calls it.
SCOPES = {
    "key": "Key={label} ({label}) ",
    "team": "Team=acme-dev ",
    "organization": "Organization=org_acme ",
    "team-member": "User=jo in Team=acme-dev ",
    "organization-member": "User=jo in Organization=org_acme ",
    "tag": "Tag=blue ",
    "platform": "",
}
IDS = {
    "team": "acme-dev",
    "organization": "org_acme",
    "user": "jo",
    "team-member": "acme-dev~jo",
    "organization-member": "org_acme~jo",
    "tag": "blue",
    "customer": "customer-1",
    "platform": "platform",
}
ALL = ["key", *IDS]


@pytest.fixture
def calls(plane: Plane, team: dict[str, Any]) -> Plane:
    """A key of the user ``jo``, whose calls cost ``COST`` each."""
    plane.provider.does(MODEL, answer(used=CALL))
    limit("user", "jo")
    owned_by(key_id_of(plane.key), "jo")
    return plane


def _id(calls: Plane, scope: str) -> str:
    return IDS.get(scope) or key_id_of(calls.key)


def _words(calls: Plane, scope: str) -> str:
    if scope in SCOPES:
        label = f"sk-...{calls.key[-4:]}"
        return f"Budget has been exceeded! {SCOPES[scope].format(label=label)}Current cost: {COST}, Max budget: {COST}"
    who = "User=jo" if scope == "user" else "End User=customer-1"
    return f"ExceededBudget: {who} over budget. Spend={COST}, Budget={COST}"


def _next_month() -> str:
    now = datetime.now(UTC)
    first = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    return first.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("scope", ALL)
def test_a_budget_that_is_used_up(calls: Plane, scope: str) -> None:
    scope_id = _id(calls, scope)
    limit(scope, scope_id, max_budget=Decimal(1), budget_duration="1mo")
    assert calls.chat(**FIELDS).status_code == 200
    limit(scope, scope_id, max_budget=COST, budget_duration="1mo")

    refused = calls.chat(**FIELDS)

    assert (refused.status_code, refused.json()) == (
        422,
        error(
            422,
            "budget_exceeded",
            _words(calls, scope),
            scope=scope,
            scope_id=scope_id,
            limit=float(COST),
            limit_type="max_budget",
            spent=float(COST),
            reserved=0,
            resets_at=_next_month(),
        ),
    )
    counted = counters(scope, scope_id)
    assert (counted.spent_usd, counted.tokens, counted.calls, counted.holds) == (COST, 150, 1, {})
    assert list(counted.windows.values()) == [COST]
    assert len(calls.books().records) == 1
    limit(scope, scope_id, max_budget=2 * COST + Decimal("0.1"), budget_duration="1mo")
    assert calls.chat(**FIELDS).status_code == 200


@pytest.mark.parametrize("scope", ALL)
@pytest.mark.parametrize(
    ("setting", "kind"), [("rpm_limit", "requests"), ("tpm_limit", "tokens"), ("tpd_limit", "tokens")]
)
def test_a_rate_that_is_used_up(calls: Plane, scope: str, setting: str, kind: str) -> None:
    scope_id = _id(calls, scope)
    limit(scope, scope_id, **{setting: 1 if kind == "requests" else 2_000})
    first = calls.chat(**FIELDS)
    assert first.status_code == 200
    # The reservation was larger than what was used; only that stays counted.
    limit(scope, scope_id, **{setting: 1 if kind == "requests" else 151})

    refused = calls.chat(**FIELDS)

    assert refused.status_code == 429
    told = refused.json()["error"]
    assert (told["type"], told["code"], told["limit_type"], told["scope"]) == (
        "throttling_error",
        "429",
        setting,
        scope,
    )
    assert (told["limit"], told["spent"], told["reserved"]) == ((1, 1, 0) if kind == "requests" else (151, 150, 0))
    assert refused.headers["rate_limit_type"] == kind
    assert 1 <= int(refused.headers["retry-after"]) <= (86_400 if setting == "tpd_limit" else 60)
    assert told["message"].startswith("Rate limit exceeded for ")
    assert f"Limit type: {kind}. Current limit: {told['limit']}, Remaining: " in told["message"]
    # What was refused consumed nothing anywhere.
    assert counters(scope, scope_id).calls == 1
    assert len(calls.books().records) == 1


def test_the_headers_tell_the_tightest_rate(calls: Plane) -> None:
    limit("team", "acme-dev", rpm_limit=5, tpm_limit=10_000)
    limit("organization", "org_acme", rpm_limit=3, tpm_limit=20_000)

    answer_headers = [calls.chat(**FIELDS).headers for _ in range(2)]

    assert [headers["x-ratelimit-limit-requests"] for headers in answer_headers] == ["3", "3"]
    assert [headers["x-ratelimit-remaining-requests"] for headers in answer_headers] == ["2", "1"]
    assert [headers["x-ratelimit-limit-tokens"] for headers in answer_headers] == ["10000", "10000"]
    assert [headers["x-ratelimit-remaining-tokens"] for headers in answer_headers] == ["9850", "9700"]
    assert all(headers["x-ratelimit-reset-tokens"].endswith("s") for headers in answer_headers)


@pytest.mark.parametrize("scope", ["team", "key", "platform"])
def test_parallel_calls(calls: Plane, scope: str) -> None:
    limit(scope, _id(calls, scope), max_parallel_requests=1)

    with calls.in_flight(answer(used=CALL), **FIELDS):
        refused = calls.chat(**FIELDS)

    told = refused.json()["error"]
    assert (refused.status_code, told["type"], told["limit_type"]) == (429, "throttling_error", "max_parallel_requests")
    assert (told["limit"], told["reserved"], refused.headers["retry-after"]) == (1, 1, "1")
    calls.provider.does(MODEL, answer(used=CALL))
    assert calls.chat(**FIELDS).status_code == 200


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"max_budget": Decimal(0)}, 422),
        ({"rpm_limit": 0}, 429),
        ({"tpm_limit": 0}, 429),
        ({"tpd_limit": 0}, 429),
        ({"max_parallel_requests": 0}, 429),
    ],
)
def test_zero_refuses_everything(calls: Plane, limits: dict[str, Any], status: int) -> None:
    limit("team", "acme-dev", **limits)
    assert [calls.chat(**FIELDS).status_code for _ in range(2)] == [status, status]
    assert (calls.books().records, calls.provider.calls) == ([], [])


def test_an_answer_is_cut_to_what_the_budget_carries(calls: Plane) -> None:
    limit("key", key_id_of(calls.key), max_budget=Decimal("0.05"))

    cut = calls.chat(max_tokens=900)

    assert cut.status_code == 200
    sent = int(cut.headers["x-tollgate-max-tokens"])
    assert 1 <= sent < 900
    assert calls.provider.calls[-1].body["max_tokens"] == sent


def test_a_budget_that_others_hold_is_reserved(calls: Plane) -> None:
    limit("organization", "org_acme", max_budget=2 * COST)

    with calls.in_flight(answer(used=usage(10, 5)), **FIELDS | {"max_tokens": 900}):
        refused = calls.chat(**FIELDS)

    told = refused.json()["error"]
    assert (refused.status_code, told["type"], told["scope"]) == (429, "reserved", "organization")
    assert refused.headers["retry-after"] == "1"
    assert counters("team", "acme-dev").calls == 1


def test_refused_by_one_scope_is_released_by_all_the_others(calls: Plane) -> None:
    limit("team", "acme-dev", max_budget=Decimal(1), rpm_limit=10)
    limit("user", "jo", rpm_limit=10, tpm_limit=10_000)
    limit("platform", "platform", rpm_limit=0)

    assert calls.chat(**FIELDS).status_code == 429

    for scope in ("team", "user"):
        counted = counters(scope, _id(calls, scope))
        assert (counted.calls, counted.holds, set(counted.windows.values()) - {0}) == (0, {}, set())
    assert calls.books().available == 1_000


def test_the_first_limit_in_the_contracts_order_is_told(calls: Plane) -> None:
    """Budgets before rates, the member's before the key's before the team's; credits last (Q-12)."""
    limit("platform", "platform", rpm_limit=0)
    limit("user", "jo", max_parallel_requests=0)
    limit("customer", "customer-1", max_budget=Decimal(0))
    limit("key", key_id_of(calls.key), max_budget=Decimal(0))
    limit("team-member", "acme-dev~jo", max_budget=Decimal(0))
    told = []
    for scope in ("team-member", "key", "customer", "user", "platform"):
        told.append(calls.chat(**FIELDS).json()["error"]["scope"])
        limit(scope, _id(calls, scope))
    assert told == ["team-member", "key", "customer", "user", "platform"]
    assert calls.chat(**FIELDS).status_code == 200


def test_a_budget_of_one_model(calls: Plane) -> None:
    from tollgate.limits.model import ModelBudget

    calls.alias("other")
    budgets = {"fast": ModelBudget(COST, "1d")}
    limit("team", "acme-dev", model_max_budget={"fast": ModelBudget(Decimal(1), "1d")})
    assert calls.chat(**FIELDS).status_code == 200
    limit("team", "acme-dev", model_max_budget=budgets)

    refused = calls.chat(**FIELDS)

    told = refused.json()["error"]
    assert (refused.status_code, told["limit_type"], told["model"]) == (422, "model_max_budget", "fast")
    assert calls.chat("other", **FIELDS).status_code == 200
    limit("team", "acme-dev", model_rpm_limit={"other": 1})
    assert [calls.chat("other", **FIELDS).status_code for _ in range(2)] == [200, 429]
    assert calls.chat(**FIELDS).status_code == 200


def test_a_new_window_begins_at_zero(calls: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    limit("team", "acme-dev", max_budget=Decimal(1), budget_duration="1d", rpm_limit=1)
    assert [calls.chat(**FIELDS).status_code for _ in range(2)] == [200, 429]
    limit("team", "acme-dev", max_budget=COST, budget_duration="1d", rpm_limit=1)
    real = time.time
    for days in (1, 2, 3):
        monkeypatch.setattr(time, "time", lambda days=days: real() + days * 86_400)
        limit("team", "acme-dev", max_budget=Decimal(1), budget_duration="1d", rpm_limit=1)
        assert calls.chat(**FIELDS).status_code == 200
        limit("team", "acme-dev", max_budget=COST, budget_duration="1d")
        assert calls.chat(**FIELDS).status_code == 422
    counted = counters("team", "acme-dev")
    # Today's, and yesterday's because it may carry over; the minutes that are over are gone.
    assert sorted(name[:3] for name in counted.windows) == ["b1d", "b1d", "r1m"]


def test_another_duration_keeps_what_was_spent(calls: Plane) -> None:
    """What the old counter has, the new one begins with; nobody gets a budget anew by having it changed."""
    limit("team", "acme-dev", max_budget=Decimal(1), budget_duration="1d")
    assert calls.chat(**FIELDS).status_code == 200

    limit("team", "acme-dev", max_budget=COST, budget_duration="1mo", budget_since=int(time.time()))

    refused = calls.chat(**FIELDS)
    assert (refused.status_code, refused.json()["error"]["spent"]) == (422, float(COST))


def test_a_changed_duration_takes_the_calls_in_flight_along(calls: Plane) -> None:
    limit("team", "acme-dev", max_budget=Decimal(1), budget_duration="1d")

    with calls.in_flight(answer(used=CALL), **FIELDS):
        limit("team", "acme-dev", max_budget=Decimal(1), budget_duration="1mo", budget_since=int(time.time()))
        calls.provider.does(MODEL, answer(used=CALL))
        assert calls.chat(**FIELDS).status_code == 200

    calls.books()
    windows = {name[:3]: value for name, value in counters("team", "acme-dev").windows.items()}
    assert windows == {"b1d": COST, "b1m": 2 * COST}


def test_a_temporary_increase(calls: Plane) -> None:
    limits: dict[str, Any] = {"max_budget": Decimal("0.001"), "temp_budget_increase": Decimal(1)}
    limit("key", key_id_of(calls.key), **limits, temp_budget_expiry=int(time.time()) + 60)
    assert calls.chat(**FIELDS).status_code == 200
    limit("key", key_id_of(calls.key), **limits, temp_budget_expiry=int(time.time()) - 1)
    assert calls.chat(**FIELDS).status_code == 422


def test_tags_of_a_request_are_ours_and_few(calls: Plane) -> None:
    assert calls.chat(metadata={"tags": ["blue", "red"], "trace": "t"}).status_code == 200
    assert calls.provider.calls[-1].body["metadata"] == {"trace": "t"}
    (record,) = calls.books().records
    assert record["tags"] == ["blue", "red"]
    many = calls.chat(metadata={"tags": [str(number) for number in range(11)]})
    assert (many.status_code, many.json()["error"]["param"]) == (400, "metadata.tags")
