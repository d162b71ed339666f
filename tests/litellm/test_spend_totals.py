"""Who spent most, what a call would cost, and spend of the whole platform, by LiteLLM's API (contract litellm 1.9)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.litellm.test_keys import e1, generate
from tests.litellm.test_spend_logs import of_team
from tests.support import build, calls
from tests.support.api import Answer, call, key
from tests.support.calls import NOON
from tests.support.items import put_raw, raw_items
from tollgate.core import clock
from tollgate.litellm import spend_totals

MARCH = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
PLATFORM = ["/spend/tags", *(f"/global/spend{name}" for name in ("", "/report", "/logs", "/keys", "/models", "/teams"))]
FIRST, SECOND = "2026-03-01T00:00:00.000000+00:00", "2026-03-02T00:00:00.000000+00:00"
_snapshot: dict[str, Any] = {}


def asked(path: str, caller: dict[str, str] | None = None, **query: Any) -> Answer:
    return call("GET", path, query=query, **({"caller": caller} if caller is not None else {}))


def shown(path: str, caller: dict[str, str] | None = None, **query: Any) -> Any:
    answer = asked(path, caller, **query)
    assert answer.status == 200, answer.text
    return answer.body


@pytest.fixture
def world(noon: None) -> dict[str, dict[str, Any]]:
    """Two tenants with calls in March, and two users with one each of today."""
    if _snapshot:
        put_raw(_snapshot["items"])
    else:
        _snapshot.update(made=_world(), items=raw_items())
    made: dict[str, dict[str, Any]] = _snapshot["made"]
    return made


def _world() -> dict[str, dict[str, Any]]:
    for organization_id, team_id in (("org_acme", "acme-dev"), ("org_other", "other-dev")):
        build.organization(organization_id)
        build.team(team_id, organization_id)
    call("POST", "/team/update", {"team_id": "acme-dev", "team_alias": "Development"})
    made = {user_id: generate(user_id=build.user(user_id)["user_id"], key_alias=user_id) for user_id in ("ana", "ben")}
    made["team"] = generate(team_id="acme-dev", key_alias="service")
    token, now = made["team"]["token"], clock.utc_now() + timedelta(minutes=1)

    def spent(cost: str, **fields: Any) -> dict[str, Any]:
        return {"cost_usd": Decimal(cost)} | fields

    calls.counted(
        [
            of_team(key_id=token, **spent("0.25", tags=["batch", "night"], customer_id="c-1")),
            of_team(**spent("0.5", requested_model="slow", tags=["batch"])),
            of_team("other-dev", "org_other", **spent("4", customer_id="c-2", provider="anthropic")),
            of_team(at=NOON + timedelta(days=1), key_id=token, **spent("1", customer_id="c-1")),
            calls.record(NOON + timedelta(days=1), **spent("8", requested_model="slow")),
            calls.record(now, key_id=made["ana"]["token"], user_id="ana", **spent("2")),
            calls.record(now, key_id=made["ben"]["token"], user_id="ben", **spent("3", tags=["today"])),
        ]
    )
    return made


def test_keys_the_dearest_first(world: dict[str, dict[str, Any]]) -> None:
    rows = shown("/spend/keys")
    assert [(row["key_alias"], row["spend"]) for row in rows[:2]] == [("ben", 3), ("ana", 2)]
    (listed,) = [
        row
        for row in call("GET", "/key/list", query={"return_full_object": "true", "size": 100}).body["keys"]
        if row["key_alias"] == "ben"
    ]
    assert rows[0] == listed
    own = shown("/spend/keys", key(world["ana"]["key"]))
    assert [row["token"] for row in own] == [world["ana"]["token"]]
    call("POST", "/key/delete", {"keys": [world["ben"]["token"]]})
    assert shown("/spend/keys")[0]["key_alias"] == "ana"


def test_users_the_dearest_first(world: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = shown("/spend/users")
    assert [(row["user_id"], row["spend"]) for row in rows] == [("ben", 3), ("ana", 2)]
    assert rows[1] == call("GET", "/v2/user/info", query={"user_id": "ana"}).body
    assert shown("/spend/users", user_id="ana") == rows[1:]
    assert shown("/spend/users", user_id="nobody") == []
    caller = key(world["ana"]["key"])
    assert [row["user_id"] for row in shown("/spend/users", caller, user_id="ben")] == ["ana"]
    monkeypatch.setattr(spend_totals, "MOST_USERS", 1)
    answer = asked("/spend/users")
    assert [row["user_id"] for row in answer.body] == ["ben"]
    assert answer.headers["x-tollgate-truncated"] == "true"
    assert "x-tollgate-truncated" not in asked("/spend/keys").headers


def test_tags_the_dearest_first(world: dict[str, dict[str, Any]]) -> None:
    build.budget("tag", "idle", max_budget=5)
    batch = {"individual_request_tag": "batch", "log_count": 2, "total_spend": 0.75}
    night = {"individual_request_tag": "night", "log_count": 1, "total_spend": 0.25}
    assert shown("/spend/tags", **MARCH) == [batch, night]
    assert shown("/spend/tags") == [{"individual_request_tag": "today", "log_count": 1, "total_spend": 3}]


def test_a_report_by_team(world: dict[str, dict[str, Any]]) -> None:
    """By model and key; what no known key called is told without one."""
    token = world["team"]["token"]
    fast = {"model": "fast", "spend": 0.25, "total_tokens": 15, "api_key": token}
    slow = {"model": "slow", "spend": 0.5, "total_tokens": 15, "api_key": None}
    acme = {"team_name": "Development", "total_spend": 0.75, "metadata": [fast, slow]}
    foreign = [{"model": "fast", "spend": 4, "total_tokens": 15, "api_key": None}]
    other = {"team_name": "other-dev", "total_spend": 4, "metadata": foreign}
    masters = [{"model": "slow", "spend": 8, "total_tokens": 15, "api_key": None}]
    second = [
        {"team_name": "Unassigned", "total_spend": 8, "metadata": masters},
        {"team_name": "Development", "total_spend": 1, "metadata": [fast | {"spend": 1}]},
    ]
    assert shown("/global/spend/report", **MARCH) == [
        {"group_by_day": FIRST, "teams": [acme, other]},
        {"group_by_day": SECOND, "teams": second},
    ]
    of_acme = [{"group_by_day": FIRST, "teams": [acme]}, {"group_by_day": SECOND, "teams": second[1:]}]
    assert shown("/global/spend/report", **MARCH, team_id="acme-dev") == of_acme
    by_key = shown("/global/spend/report", **MARCH, api_key=world["team"]["key"])
    assert [day["teams"][0]["total_spend"] for day in by_key] == [0.25, 1]


def test_a_report_by_customer(world: dict[str, dict[str, Any]]) -> None:
    """Of those of whom something was said, or of the one who is named (Q-53)."""
    assert shown("/global/spend/report", **MARCH, group_by="customer") == []
    build.budget("customer", "c-2", max_budget=5)
    metadata = [{"model": "fast", "spend": 4, "total_tokens": 15, "api_key": None}]
    customer = {"customer": "c-2", "total_spend": 4, "metadata": metadata}
    expected = [{"group_by_day": FIRST, "customers": [customer]}]
    assert shown("/global/spend/report", **MARCH, group_by="customer") == expected
    assert shown("/global/spend/report", **MARCH, customer_id="c-2", team_id="acme-dev") == []
    named = shown("/global/spend/report", **MARCH, customer_id="c-1")
    assert [day["customers"][0]["total_spend"] for day in named] == [0.25, 1]


def test_a_report_by_key(world: dict[str, dict[str, Any]]) -> None:
    cost = {"total_cost": 1.25, "total_input_tokens": 20, "total_output_tokens": 10}
    row = {"api_key": world["team"]["token"], **cost, "model_details": [{"model": "fast", **cost}]}
    assert shown("/global/spend/report", **MARCH, group_by="api_key") == [row]
    assert shown("/global/spend/report", **MARCH, group_by="api_key", team_id="other-dev") == []


def test_the_platform_at_a_glance(world: dict[str, dict[str, Any]]) -> None:
    assert shown("/global/spend") == {"spend": 18.75, "max_budget": None}
    call("PUT", "/api/budgets/platform/platform", {"max_budget": 100, "budget_duration": "1d"})
    assert shown("/global/spend") == {"spend": 5, "max_budget": 100}
    days = [{"date": "2026-03-01", "spend": 4.75}, {"date": "2026-03-02", "spend": 9}]
    assert shown("/global/spend/logs", **MARCH) == days
    by_key = [{"date": "2026-03-01", "spend": 0.25}, {"date": "2026-03-02", "spend": 1}]
    assert shown("/global/spend/logs", **MARCH, api_key=world["team"]["token"]) == by_key
    assert [day["spend"] for day in shown("/global/spend/logs")] == [5]
    ben = {"api_key": world["ben"]["token"], "key_alias": "ben", "key_name": world["ben"]["key_name"], "total_spend": 3}
    assert shown("/global/spend/keys", limit=1) == [ben]
    assert len(shown("/global/spend/keys")) == 2
    models = [{"model": "slow", "total_spend": 8.5}, {"model": "fast", "total_spend": 5.25}]
    assert shown("/global/spend/models", **MARCH) == models
    assert shown("/global/spend/models", **MARCH, limit=1) == models[:1]
    assert shown("/global/spend/teams", **MARCH) == {
        "daily_spend": [
            {"date": "2026-03-01", "Development": 0.75, "other-dev": 4},
            {"date": "2026-03-02", "Development": 1, "Unassigned": 8},
        ],
        "teams": ["Development", "Unassigned", "other-dev"],
        "total_spend_per_team": [
            {"team_id": "Unassigned", "total_spend": 8},
            {"team_id": "other-dev", "total_spend": 4},
            {"team_id": "Development", "total_spend": 1.75},
        ],
    }


@pytest.mark.parametrize("path", PLATFORM)
def test_the_platforms_spend_is_the_platforms(world: dict[str, dict[str, Any]], path: str) -> None:
    for caller in (world["ana"], world["team"]):
        refused = asked(path, key(caller["key"]), **MARCH)
        assert (refused.status, refused.body["error"]["type"]) == (401, "auth_error")
    vera = generate(user_id=build.admin_user()["user_id"])
    assert asked(path, key(vera["key"]), **MARCH).status == 200


@pytest.mark.parametrize("query", [{}, {"start_date": "2026-03-01"}])
def test_a_report_needs_days(query: dict[str, str]) -> None:
    answer = asked("/global/spend/report", **query)
    message = "Please provide start_date and end_date"
    assert (answer.status, answer.body) == (400, e1(message, "internal_error", "None", 400))


def calculated(body: dict[str, Any], caller: dict[str, str] | None = None) -> Answer:
    given = {"caller": caller} if caller is not None else {}
    return call("POST", "/spend/calculate", body, **given)


MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say something"}]
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}


def test_what_a_call_costs() -> None:
    """By the prices that calls are charged at: 10 USD, 5 cached, 50 for a million tokens."""
    build.alias("fast", pricing_input="10", pricing_cached_input="5", pricing_output="50")
    answered = {"completion_response": {"id": "a", "model": "fast", "usage": USAGE}}
    assert calculated(answered).body == {"cost": 0.0013}
    prompt = calculated({"model": "fast", "messages": MESSAGES}).body["cost"]
    assert prompt == pytest.approx(18 * 0.00001, rel=0.3)
    longer = [*MESSAGES, {"role": "user", "content": "Say something " * 100}]
    assert calculated({"model": "fast", "messages": longer}).body["cost"] > 5 * prompt
    known = {"model": "openai/gpt-4o", "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}}
    assert calculated({"completion_response": known}).body == {"cost": 12.5}
    assert calculated({"model": "local/echo", "messages": MESSAGES}).body == {"cost": 0}


def test_the_price_has_the_markup_of_the_callers_team() -> None:
    """Where somebody pays for its calls (Q-19)."""
    build.organization()
    build.team(cost_markup_percentage=50)
    call("POST", "/team/new", {"team_id": "free", "organization_id": "org_acme"})
    call("PUT", "/api/teams/free", {"cost_markup_percentage": 50})
    build.alias("fast", pricing_input="10", pricing_cached_input="5", pricing_output="50")
    build.user("ana")
    answered = {"completion_response": {"model": "fast", "usage": USAGE}}
    costs = {}
    for team_id in ("acme-dev", "free"):
        build.member("team-member", team_id, "ana")
        costs[team_id] = calculated(answered, key(generate(team_id=team_id, user_id="ana")["key"])).body
    assert costs == {"acme-dev": {"cost": 0.00195}, "free": {"cost": 0.0013}}


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        ({}, "Bad Request - Either 'model' must be passed in or 'completion_response'", "None"),
        ({"model": "fast"}, "Bad Request - messages must be provided if 'model' is provided", "None"),
        ({"model": "nope", "messages": []}, "Invalid model name passed in model=nope", "model"),
        (
            {"completion_response": {"model": "custom/nope", "usage": {}}},
            "Invalid model name passed in model=custom/nope",
            "model",
        ),
    ],
)
def test_what_has_no_price(body: dict[str, Any], message: str, param: str) -> None:
    answer = calculated(body)
    assert (answer.status, answer.body) == (400, e1(message, "internal_error", param, 400))
