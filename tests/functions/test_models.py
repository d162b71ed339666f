"""Models: aliases with a provider, a price and a status; and the catalogue of prices (contract 1.7)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import genai_prices
import pytest

from tests.support import build, calls
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events

MODELS = "/api/models"
NOON, ONE = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"


@pytest.fixture(autouse=True)
def standing(empty_table: None, clock: FakeClock) -> None:
    """Every test here tells times."""


def create(**changes: Any) -> Any:
    request = {
        "model_alias": "sonnet",
        "display_name": "Claude Sonnet",
        "provider": "anthropic",
        "actual_model": "claude-sonnet-4-5",
        "pricing_input": 2.5,
        "pricing_output": 12.5,
        "description": "writes",
    }
    return call("POST", f"{MODELS}/create", request | changes)


def sonnet(uid: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": uid,
        "model_alias": "sonnet",
        "display_name": "Claude Sonnet",
        "provider": "anthropic",
        "actual_model": "claude-sonnet-4-5",
        "description": "writes",
        "pricing_input": 2.5,
        "pricing_output": 12.5,
        "price_source": "override",
        "status": "active",
        "access_groups": [],
        "created_at": NOON,
        "updated_at": NOON,
    } | changes


def entries(group: str) -> list[str]:
    return [entry["alias"] for entry in call("GET", f"/api/model-access-groups/{group}").body["model_aliases"]]


def test_create() -> None:
    answer = create()
    assert (answer.status, answer.body) == (200, sonnet(answer.body["id"]))
    assert call("GET", f"{MODELS}/sonnet").body == answer.body
    assert call("GET", MODELS).body == {"models": [answer.body], "next_cursor": None, "truncated": False}


def test_create_at_the_catalogues_price() -> None:
    answer = create(pricing_input=None, pricing_output=None, actual_model="claude-haiku-4-5").body
    assert (answer["pricing_input"], answer["pricing_output"], answer["price_source"]) == (1, 5, "catalogue")


def test_create_with_access_groups_is_one_transaction() -> None:
    build.access_group("basic")
    assert create(access_groups=["basic", "claude-models"]).body["access_groups"] == ["basic", "claude-models"]
    assert (entries("basic"), "sonnet" in entries("claude-models")) == (["sonnet"], True)
    assert [event["action"] for event in audit_events()[-3:]].count("access_group.updated") == 2
    before = all_items()
    message = "Unknown access group 'nothing'"
    wrong = create(model_alias="other", access_groups=["basic", "nothing"])
    assert (wrong.status, wrong.body) == (
        422,
        problem(422, "unknown_access_group", message, errors=[{"field": "access_groups", "message": message}]),
    )
    assert all_items() == before


def test_refusals() -> None:
    create()
    before = all_items()
    taken = create()
    assert (taken.status, taken.body) == (400, problem(400, "alias_exists", "Alias already exists: 'sonnet'"))
    strange = create(model_alias="other", provider="nobody")
    assert (strange.status, strange.body["code"]) == (400, "unknown_provider")
    assert strange.body["errors"][0]["field"] == "provider"
    for change, field in (
        ({"model_alias": "*"}, "model_alias"),
        ({"display_name": None}, "display_name"),
        ({"pricing_input": -1}, "pricing_input"),
        ({"actual_model": ""}, "actual_model"),
        ({"provider": "custom", "actual_model": "unheard-of", "pricing_output": None}, "pricing_output"),
    ):
        answer = create(**{"model_alias": "other"} | change)
        assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])
    assert all_items() == before


def test_list_by_provider_and_status() -> None:
    create()
    create(model_alias="fast", provider="openai", actual_model="gpt-4o-mini")
    call("PUT", f"{MODELS}/fast", {"status": "inactive"})

    def listed(**query: str) -> list[str]:
        return [model["model_alias"] for model in call("GET", MODELS, query=query).body["models"]]

    assert listed() == ["fast", "sonnet"]
    assert (listed(provider="openai"), listed(provider="gemini")) == (["fast"], [])
    assert (listed(status="active"), listed(status="inactive")) == (["sonnet"], ["fast"])
    assert listed(provider="openai", status="active") == []
    assert listed(limit="1", offset="1") == ["sonnet"]
    assert call("GET", MODELS, query={"status": "gone"}).status == 422


def test_update_changes_what_was_sent(clock: FakeClock) -> None:
    build.access_group("basic")
    build.access_group("wild", model_aliases=["son*"])
    created = create(access_groups=["basic"]).body
    clock.advance(hours=1)
    request = {"pricing_input": None, "status": "inactive", "access_groups": ["gpt-models"]}
    answer = call("PUT", f"{MODELS}/sonnet", request)
    changed = {
        "status": "inactive",
        "pricing_input": 3,
        "access_groups": ["gpt-models", "wild"],
        "updated_at": ONE,
    }
    assert (answer.status, answer.body) == (200, created | changed)
    assert (entries("basic"), "sonnet" in entries("gpt-models")) == ([], True)
    moved = call("PUT", f"{MODELS}/sonnet", {"provider": "bedrock", "description": None}).body
    assert (moved["provider"], moved["actual_model"], moved["description"]) == ("bedrock", "claude-sonnet-4-5", None)
    for field in ("provider", "actual_model", "status"):
        wrong = call("PUT", f"{MODELS}/sonnet", {field: None})
        assert (wrong.status, wrong.body["errors"][0]["field"]) == (422, field)
    assert call("PUT", f"{MODELS}/sonnet", {"provider": "nobody"}).status == 400


def test_delete() -> None:
    create(access_groups=[])
    answer = call("DELETE", f"{MODELS}/sonnet")
    assert (answer.status, answer.body["message"]) == (200, "Model alias 'sonnet' deleted successfully")
    missing = problem(404, "not_found", "Model alias 'sonnet' not found")
    for method, body in (("GET", None), ("PUT", {"status": "active"}), ("DELETE", None)):
        assert call(method, f"{MODELS}/sonnet", body).body == missing


def test_what_an_alias_is_used(clock: FakeClock) -> None:
    build.alias("fast")
    build.alias("slow", "openai/gpt-4o")
    price = Decimal("0.25")
    calls.counted(
        [
            calls.record(team_uid="t1", team_id="a", cost_usd=price, input_tokens=10, output_tokens=6),
            calls.record(team_uid="t2", team_id="b", cost_usd=price, input_tokens=1, output_tokens=0),
            calls.record(calls.NOON.replace(month=1), team_uid="t1", team_id="a"),
            calls.record(requested_model="slow"),
        ]
    )
    answer = call("GET", "/api/model-aliases/fast").body
    assert (answer["usage_count"], answer["usage_stats"]) == (
        2,
        {"days": 30, "total_calls": 2, "total_cost_usd": 0.5, "avg_tokens_per_call": 8.5},
    )
    listed = call("GET", "/api/model-aliases").body["aliases"]
    assert [(alias["alias"], alias["usage_count"]) for alias in listed] == [("fast", 2), ("slow", 1)]


def prices(**query: str) -> Any:
    return call("GET", "/api/model-prices", query=query).body


def test_prices() -> None:
    found = prices(search="GPT-4o-mini", provider="openai")
    mini = next(model for model in found["models"] if model["model_id"] == "gpt-4o-mini")
    assert mini | {"description": None} == {
        "litellm_model": "openai/gpt-4o-mini",
        "provider": "openai",
        "model_id": "gpt-4o-mini",
        "name": "gpt 4o mini",
        "description": None,
        "pricing_input": 0.15,
        "pricing_output": 0.6,
        "pricing_cached_input": 0.075,
        "context_window": 128000,
    }
    assert found["price_version"] == f"genai-prices@{genai_prices.__version__}"
    assert {model["provider"] for model in prices(search="claude", provider="anthropic")["models"]} == {"anthropic"}
    assert prices(search="no such model") == {
        "models": [], "total": 0, "price_version": found["price_version"], "next_cursor": None,
    }  # fmt: skip


def test_prices_are_paged() -> None:
    whole, names, cursor = prices(provider="anthropic"), [], {}
    while True:
        page = prices(provider="anthropic", limit="7", **cursor)
        names += [model["litellm_model"] for model in page["models"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert names == [model["litellm_model"] for model in whole["models"]]
    assert len(names) == whole["total"] > 7
    other = call("GET", "/api/model-prices", query={"provider": "openai"} | cursor)
    assert (other.status, other.body["code"]) == (400, "invalid_cursor")


def test_an_alias_takes_every_listed_price() -> None:
    """What is listed can be put into ``litellm_model`` and costs what the list says."""
    for found in prices(search="flash", limit="3")["models"]:
        made = build.alias(found["model_id"].replace("/", "-"), found["litellm_model"])
        assert made["targets"][0]["prices"]["input"] == found["pricing_input"]


def test_a_teams_key_sees_none() -> None:
    build.organization()
    create()
    caller = key(build.team()["virtual_key"])
    for path in (MODELS, f"{MODELS}/sonnet", "/api/model-prices"):
        assert call("GET", path, caller=caller).status == 403
