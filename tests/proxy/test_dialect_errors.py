"""Every refusal of a call in LiteLLM's words, in both profiles (contract litellm 1.1, 3; Q-10, Q-30, Q-55, Q-56)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, change, question
from tests.support import build
from tests.support.api import call
from tests.support.limits import limit, owned_by
from tests.support.upstream import answer, usage
from tollgate.auth.credentials import key_id_of
from tollgate.limits.model import ModelBudget

FIELDS: dict[str, Any] = {"max_tokens": 50, "user": "customer-1", "metadata": {"tags": ["blue"]}}
NOTHING_LEFT: dict[str, Any] = {"max_budget": Decimal(0)}
PLAIN = "Budget has been exceeded! Current cost: 0, Max budget: 0"
FULL_MINUTE = 43_200
RESETS = re.compile(r"\d{4}-\d\d-\d\d 12:01:00 UTC")


@pytest.fixture
def ready(plane: Plane, team: dict[str, Any]) -> Plane:
    """A key of ``jo`` in a team, whose calls would be answered."""
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    limit("user", "jo")
    owned_by(key_id_of(plane.key), "jo")
    return plane


@dataclass(frozen=True)
class Budget:
    """A used-up budget, and what is said of it; ``{key}`` is the key's end, ``{hash}`` its hash."""

    scope: str
    scope_id: str
    message: str
    message_80: str | None = None
    limits: dict[str, Any] | None = None
    alias: str | None = None


OF_A_MODEL: dict[str, Any] = {"model_max_budget": {"fast": ModelBudget(Decimal(0), "1d")}}
BUDGETS = [
    Budget("key", "", "Budget has been exceeded! Key=sk-...{key} (sk-...{key}) Current cost: 0, Max budget: 0", PLAIN),
    Budget(
        "key", "", "Budget has been exceeded! Key=ci (sk-...{key}) Current cost: 0, Max budget: 0", PLAIN, alias="ci"
    ),
    Budget("team", "acme-dev", "Budget has been exceeded! Team=acme-dev Current cost: 0, Max budget: 0"),
    Budget(
        "organization", "org_acme", "Budget has been exceeded! Organization=org_acme Current cost: 0, Max budget: 0"
    ),
    Budget(
        "team-member",
        "acme-dev~jo",
        "Budget has been exceeded! User=jo in Team=acme-dev Current cost: 0, Max budget: 0",
        PLAIN,
    ),
    Budget(
        "organization-member",
        "org_acme~jo",
        "Budget has been exceeded! User=jo in Organization=org_acme Current cost: 0, Max budget: 0",
    ),
    Budget("tag", "blue", "Budget has been exceeded! Tag=blue Current cost: 0, Max budget: 0"),
    Budget("user", "jo", "ExceededBudget: User=jo over budget. Spend=0, Budget=0"),
    Budget("customer", "customer-1", "ExceededBudget: End User=customer-1 over budget. Spend=0, Budget=0"),
    Budget("platform", "platform", PLAIN),
    Budget(
        "key",
        "",
        "LiteLLM Virtual Key: {hash}, key_alias: None, exceeded budget for model=fast",
        limits=OF_A_MODEL,
    ),
    Budget(
        "key",
        "",
        "LiteLLM Virtual Key: {hash}, key_alias: ci, exceeded budget for model=fast",
        limits=OF_A_MODEL,
        alias="ci",
    ),
]


def told(response: Any) -> dict[str, Any]:
    """The members that LiteLLM's clients know."""
    return {name: response.json()["error"][name] for name in ("message", "type", "param", "code")}


@pytest.mark.parametrize("budget", BUDGETS, ids=lambda one: f"{one.scope}-{one.alias}-{bool(one.limits)}")
def test_a_used_up_budget(ready: Plane, budget: Budget, compat: str) -> None:
    key_id = key_id_of(ready.key)
    if budget.alias is not None:
        change("key", key_alias=budget.alias)
    limit(budget.scope, budget.scope_id or key_id, **budget.limits or NOTHING_LEFT)

    refused = ready.chat(**FIELDS)

    status = 422 if compat == "1.106" else 400
    message = budget.message if compat == "1.106" else budget.message_80 or budget.message
    shown = message.format(key=ready.key[-4:], hash=key_id)
    assert refused.status_code == status
    assert told(refused) == {"message": shown, "type": "budget_exceeded", "param": None, "code": str(status)}
    assert "retry-after" not in refused.headers


RATES = [
    ("key", "{hash}", "api_key: {hash}", {}),
    ("team", "acme-dev", "team: acme-dev", {}),
    ("team-member", "acme-dev~jo", "team_member: acme-dev:jo", {}),
    ("organization", "org_acme", "organization: org_acme", {}),
    ("user", "jo", "user: jo", {}),
    ("customer", "customer-1", "end_user: customer-1", {}),
    ("key", "{hash}", "model_per_key: {hash}:fast", {"model_rpm_limit": {"fast": 0}}),
    ("team", "acme-dev", "model_per_team: acme-dev:fast", {"model_rpm_limit": {"fast": 0}}),
]


@pytest.mark.parametrize(("scope", "scope_id", "descriptor", "limits"), RATES, ids=lambda one: str(one)[:20])
def test_a_rate_limit(ready: Plane, scope: str, scope_id: str, descriptor: str, limits: dict[str, Any]) -> None:
    """The same in both profiles; the time that is left is told, not the window (Q-30)."""
    key_id = key_id_of(ready.key)
    limit(scope, scope_id.format(hash=key_id), **limits or {"rpm_limit": 0})

    refused = ready.chat(**FIELDS)

    resets_at = refused.headers["reset_at"]
    assert RESETS.fullmatch(resets_at)
    message = (
        f"Rate limit exceeded for {descriptor.format(hash=key_id)}. Limit type: requests. Current limit: 0, "
        f"Remaining: 0. Limit resets at: {resets_at}"
    )
    assert refused.status_code == 429
    assert told(refused) == {"message": message, "type": "throttling_error", "param": None, "code": "429"}
    assert refused.headers["rate_limit_type"] == "requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_no_call_at_a_time(ready: Plane) -> None:
    limit("key", key_id_of(ready.key), max_parallel_requests=0)
    refused = ready.chat(**FIELDS)
    message = (
        f"Rate limit exceeded for api_key: {key_id_of(ready.key)}. Limit type: max_parallel_requests. "
        "Current limit: 0, Remaining: 0. Limit resets at: when a call in flight ends"
    )
    assert told(refused) == {"message": message, "type": "throttling_error", "param": None, "code": "429"}
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "reset_at" not in refused.headers


def test_a_user_who_may_call_nothing_by_himself(ready: Plane, compat: str) -> None:
    build.user("una", models=["no-default-models"])
    ready.key = call("POST", "/key/generate", {"user_id": "una"}).body["key"]
    status = 403 if compat == "1.106" else 401
    message = (
        "The requested model 'fast' is not available for this API key, or the model name is invalid. "
        "Check the models available to you and try again."
        if compat == "1.106"
        else "user not allowed to access model. This user can only access models=['no-default-models']. "
        "Tried to access fast"
    )
    refused = ready.chat()
    assert refused.status_code == status
    assert told(refused) == {
        "message": message,
        "type": "key_model_access_denied",
        "param": "model",
        "code": str(status),
    }


UNKNOWN_MODEL = (
    "/chat/completions: Invalid model name passed in model=nope. "
    "Call `/v1/models` to view available models for your key."
)


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        (question("nope"), UNKNOWN_MODEL, None),
        ({"model": "fast"}, "/chat/completions: Missing required parameter: 'messages'.", "messages"),
        (b"[]", "The request body must be a JSON object", "request_body"),
    ],
)
def test_a_wrong_request(ready: Plane, body: Any, message: str, param: str | None) -> None:
    refused = ready.post("/chat/completions", body)
    assert refused.status_code == 400
    assert told(refused) == {"message": message, "type": "invalid_request_error", "param": param, "code": "400"}


def test_no_json(ready: Plane) -> None:
    refused = told(ready.post("/chat/completions", b"{"))
    assert refused.pop("message").startswith("Invalid JSON payload: ")
    assert refused == {"type": "invalid_request_error", "param": "request_body", "code": "400"}


def test_the_first_refusal_is_told(ready: Plane) -> None:
    """From the last one up, each is covered by the one before it (Q-10, Q-12, Q-56)."""
    wrong: dict[str, Any] = {}
    rows: list[tuple[Callable[[], Any], str, str | None]] = [
        (lambda: limit("platform", "platform", rpm_limit=0), "throttling_error", None),
        (lambda: limit("customer", "customer-1", max_budget=Decimal(0)), "budget_exceeded", None),
        (lambda: limit("team-member", "acme-dev~jo", max_budget=Decimal(0)), "budget_exceeded", None),
        (lambda: wrong.update(n=0), "invalid_request_error", "n"),
        (lambda: wrong.update(model="nope"), "invalid_request_error", None),
        (lambda: call("PUT", "/api/teams/acme-dev", {"model_groups": ["gpt-models"]}), "team_model_access_denied", "model"),
        (lambda: wrong.update(messages=None), "invalid_request_error", "messages"),
        (lambda: call("POST", "/key/update", {"key": ready.key, "allowed_routes": ["/v1/models"]}), "auth_error", "None"),
        (lambda: call("POST", "/api/teams/acme-dev/pause"), "team_paused", None),
    ]  # fmt: skip
    for act, kind, param in rows:
        act()
        refused = ready.post("/chat/completions", question(**FIELDS) | wrong)
        assert (refused.json()["error"]["type"], refused.json()["error"]["param"]) == (kind, param)
    assert ready.provider.calls == []
