"""Model aliases: targets, prices, groups that name them (contract 1.7, Q-24, Q-60)."""

from __future__ import annotations

from typing import Any

import genai_prices
import pytest

from tests.support import build
from tests.support.api import NOBODY, call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events

ALIASES = "/api/model-aliases"
GROUPS = "/api/model-access-groups"
CATALOGUE = f"genai-prices@{genai_prices.__version__}"
NOON, ONE = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"
MINI = {
    "input": 0.15,
    "output": 0.6,
    "cached_input": 0.075,
    "price_source": "catalogue",
    "price_version": CATALOGUE,
    "tiered": False,
}


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the targets' generated ids, which must all differ."""
    ids = {target.pop("target_id") for target in answer["targets"]}
    assert len(ids) == len(answer["targets"])
    return answer


def fast(**changes: Any) -> dict[str, Any]:
    """The answer about the plainest alias."""
    return {
        "alias": "fast",
        "litellm_model": "openai/gpt-4o-mini",
        "description": None,
        "active": True,
        "display_name": None,
        "mode": "chat",
        "fallbacks": [],
        "created_at": NOON,
        "updated_at": NOON,
        "pricing_input": None,
        "pricing_output": None,
        "pricing_cached_input": None,
        "price_source": "catalogue",
        "max_output_tokens": None,
        "context_window": 128000,
        "api_base": None,
        "targets": [target("openai/gpt-4o-mini", 0, MINI)],
        "warning": None,
    } | changes


def target(litellm_model: str, priority: int, prices: dict[str, Any], api_base: str | None = None) -> dict[str, Any]:
    return {
        "litellm_model": litellm_model,
        "priority": priority,
        "weight": 1,
        "is_active": True,
        "api_base": api_base,
        "base_model": None,
        "region": None,
        "rpm": None,
        "tpm": None,
        "credential_id": None,
        "last4": "",
        "options": {},
        "prices": prices,
    }


def catalogue_version() -> int:
    return next((int(item["number"]) for item in all_items() if item["kind"] == "catalogue_version"), 0)


def test_create(clock: FakeClock) -> None:
    answer = call("POST", f"{ALIASES}/create", {"alias": "fast", "litellm_model": "openai/gpt-4o-mini"})
    assert (answer.status, shown(answer.body)) == (200, fast())
    assert catalogue_version() == 1
    event = audit_events()[-1]
    assert (event["action"], event["resource_type"], event["resource_id"]) == (
        "model_alias.created", "model_alias", "fast",
    )  # fmt: skip


def test_create_with_everything(clock: FakeClock) -> None:
    request = {
        "alias": "Team/llama:3.1",
        "litellm_model": "custom/llama-3.1",
        "description": "ours",
        "display_name": "Llama",
        "active": False,
        "fallbacks": ["openai/gpt-4o-mini", "custom/other"],
        "pricing_input": 0.1,
        "pricing_output": 0.3,
        "pricing_cached_input": 0.05,
        "max_output_tokens": 2048,
        "context_window": 32768,
        "api_base": "http://llm.internal:8000/v1/",
        "mode": "chat",
    }
    answer = call("POST", f"{ALIASES}/create", request)
    price = shown(answer.body)["targets"][0]["prices"]
    version = price["price_version"]
    unknown = {
        "input": 0,
        "output": 0,
        "cached_input": 0,
        "price_source": "none",
        "price_version": "none",
        "tiered": False,
    }
    assert version.startswith("override:")
    api_base = "http://llm.internal:8000/v1"
    assert answer.body == request | {
        "api_base": api_base,
        "created_at": NOON,
        "updated_at": NOON,
        "price_source": "override",
        "targets": [
            target("custom/llama-3.1", 0, {
                "input": 0.1, "output": 0.3, "cached_input": 0.05,
                "price_source": "override", "price_version": version, "tiered": False,
            }, api_base),
            target("openai/gpt-4o-mini", 1, MINI),
            target("custom/other", 2, unknown),
        ],
        "warning": "No price is known for custom/other: calls cost 0 until pricing_input and pricing_output are set",
    }  # fmt: skip


def test_a_duplicate_changes_nothing() -> None:
    build.alias("fast")
    before = all_items()
    answer = call("POST", f"{ALIASES}/create", {"alias": "fast", "litellm_model": "openai/gpt-4o"})
    assert (answer.status, answer.body) == (400, problem(400, "alias_exists", "Alias already exists: 'fast'"))
    assert all_items() == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"litellm_model": "gpt-4o"}, "litellm_model"),
        ({"litellm_model": "nobody/gpt-4o"}, "litellm_model"),
        ({"litellm_model": "openai/"}, "litellm_model"),
        ({"alias": "two words"}, "alias"),
        ({"alias": "x" * 256}, "alias"),
        ({"alias": "all-proxy-models"}, "alias"),
        ({"alias": "*"}, "alias"),
        ({"fallbacks": ["openai/gpt-4o", "nope"]}, "fallbacks.1"),
        ({"fallbacks": ["openai/gpt-4o-mini"]}, "fallbacks"),
        ({"fallbacks": [f"openai/m{number}" for number in range(11)]}, "fallbacks"),
        ({"pricing_input": -1}, "pricing_input"),
        ({"pricing_input": True}, "pricing_input"),
        ({"pricing_input": "free"}, "pricing_input"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"context_window": "many"}, "context_window"),
        ({"active": "yes"}, "active"),
        ({"mode": "video"}, "mode"),
        ({"api_base": "ftp://x/y"}, "api_base"),
        ({"api_base": "http://user:secret@x/y"}, "api_base"),
        ({"api_base": "http://x/y?key=1"}, "api_base"),
        ({"api_base": "http://169.254.169.254/latest"}, "api_base"),
        ({"api_base": "http://[fe80::1%25eth0]/v1"}, "api_base"),
        ({"api_base": "http://x:99999/"}, "api_base"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_create_names_the_field_that_is_wrong(change: dict[str, Any], field: str) -> None:
    answer = call("POST", f"{ALIASES}/create", {"alias": "fast", "litellm_model": "openai/gpt-4o-mini"} | change)
    assert answer.status == 422, answer.text
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert all_items() == []


def test_a_price_of_an_unknown_model_must_be_whole() -> None:
    answer = call("POST", f"{ALIASES}/create", {"alias": "x", "litellm_model": "custom/x", "pricing_input": 1})
    text = "pricing_output: must be set too, because the price of 'custom/x' is not known"
    assert (answer.status, answer.body["errors"]) == (422, [{"field": "pricing_output", "message": text}])
    embedding = {"alias": "x", "litellm_model": "custom/x", "pricing_input": 1, "mode": "embedding"}
    assert call("POST", f"{ALIASES}/create", embedding).status == 200


def test_an_unknown_price_is_never_silent() -> None:
    answer = build.alias("x", "custom/x")
    assert answer["price_source"] == "none"
    assert (
        answer["warning"]
        == "No price is known for custom/x: calls cost 0 until pricing_input and pricing_output are set"
    )
    zero = call("PUT", f"{ALIASES}/x", {"pricing_input": 0, "pricing_output": 0}).body
    assert (zero["price_source"], zero["warning"]) == ("zero", None)


def test_list_is_sorted_searched_and_paged(clock: FakeClock) -> None:
    for name, model in (("b", "openai/gpt-4o"), ("c", "anthropic/claude-haiku-4-5"), ("a", "custom/x")):
        build.alias(name, model, display_name=f"Model {name.upper()}")
    first = call("GET", ALIASES, query={"limit": 2})
    assert [entry["alias"] for entry in first.body["aliases"]] == ["a", "b"]
    assert first.body["aliases"][1] == {
        "alias": "b",
        "litellm_model": "openai/gpt-4o",
        "description": None,
        "active": True,
        "display_name": "Model B",
        "mode": "chat",
        "fallbacks": [],
        "created_at": NOON,
        "updated_at": NOON,
        "usage_count": 0,
    }
    rest = call("GET", ALIASES, query={"limit": 2, "cursor": first.body["next_cursor"]})
    assert [entry["alias"] for entry in rest.body["aliases"]] == ["c"]
    assert (rest.body["next_cursor"], rest.body["truncated"]) == (None, False)
    for text in ("CLAUDE", "model c"):
        found = call("GET", ALIASES, query={"search": text})
        assert [entry["alias"] for entry in found.body["aliases"]] == ["c"]
    foreign = call("GET", ALIASES, query={"search": "model", "cursor": first.body["next_cursor"]})
    assert (foreign.status, foreign.body["code"]) == (400, "invalid_cursor")


def test_an_empty_list() -> None:
    assert call("GET", ALIASES).body == {"aliases": [], "next_cursor": None, "truncated": False}


def test_get_tells_groups_and_teams(clock: FakeClock) -> None:
    build.alias("fast")
    build.access_group("basic", model_aliases=["fast"])
    build.access_group("wild", model_aliases=["fa*"])
    build.access_group("other", model_aliases=["gpt-*"])
    build.organization()
    build.team("one", access_groups=["basic", "wild"])
    build.team("two", access_groups=["wild"])
    build.team("three", access_groups=["other"])
    answer = call("GET", f"{ALIASES}/fast")
    unused = {"days": 30, "total_calls": 0, "total_cost_usd": 0, "avg_tokens_per_call": 0}
    expected = fast(access_groups=["basic", "wild"], teams_with_access=2, usage_count=0, usage_stats=unused)
    assert (answer.status, shown(answer.body)) == (200, expected)


@pytest.mark.parametrize("path", ["team/llama:3.1", "team%2Fllama%3A3.1", "team/llama%3a3.1"])
def test_an_alias_with_a_slash_is_reachable(path: str) -> None:
    build.alias("team/llama:3.1")
    assert call("GET", f"{ALIASES}/{path}").body["alias"] == "team/llama:3.1"
    assert call("PUT", f"{ALIASES}/{path}", {"active": False}).body["active"] is False
    assert call("DELETE", f"{ALIASES}/{path}").body["deleted"] is True


def test_a_path_is_decoded_once() -> None:
    build.alias("a+b")
    assert call("GET", f"{ALIASES}/a+b").status == 200
    assert call("GET", f"{ALIASES}/a%2Bb").status == 200
    assert call("GET", f"{ALIASES}/a%252Bb").status == 404


@pytest.mark.parametrize(
    ("method", "body"), [("GET", None), ("PUT", {"active": False}), ("DELETE", None)], ids=["get", "update", "delete"]
)
def test_unknown_alias(method: str, body: Any) -> None:
    answer = call(method, f"{ALIASES}/nope%2Fnope", body)
    assert (answer.status, answer.body) == (404, problem(404, "not_found", "Model alias 'nope/nope' not found"))


def test_update_changes_what_was_sent(clock: FakeClock) -> None:
    build.alias("fast", description="old", fallbacks=["openai/gpt-4o"])
    before = call("GET", f"{ALIASES}/fast").body["targets"]
    clock.advance(hours=1)
    answer = call("PUT", f"{ALIASES}/fast", {"description": None, "pricing_output": 0.9})
    after = answer.body["targets"]
    assert [entry["target_id"] for entry in after] == [entry["target_id"] for entry in before]
    assert after[0]["prices"]["input"] == 0.15
    assert after[0]["prices"]["output"] == 0.9
    assert (answer.body["description"], answer.body["fallbacks"]) == (None, ["openai/gpt-4o"])
    assert (answer.body["created_at"], answer.body["updated_at"]) == (NOON, ONE)
    event = audit_events()[-1]
    assert event["action"] == "model_alias.updated"
    assert (event["before"], event["after"]) == (
        '{"description":"old","pricing_output":null}', '{"description":null,"pricing_output":"0.9"}',
    )  # fmt: skip
    cleared = call("PUT", f"{ALIASES}/fast", {"pricing_output": None, "fallbacks": None})
    assert shown(cleared.body) == fast(updated_at=ONE)
    assert catalogue_version() == 3


def test_a_fallback_that_becomes_the_model_keeps_its_id() -> None:
    made = build.alias("fast", fallbacks=["openai/gpt-4o"])
    ids = {entry["litellm_model"]: entry["target_id"] for entry in made["targets"]}
    swapped = {"litellm_model": "openai/gpt-4o", "fallbacks": ["openai/gpt-4o-mini"]}
    answer = call("PUT", f"{ALIASES}/fast", swapped).body
    assert [entry["target_id"] for entry in answer["targets"]] == [ids["openai/gpt-4o"], ids["openai/gpt-4o-mini"]]


@pytest.mark.parametrize("field", ["litellm_model", "active", "mode"])
def test_some_fields_cannot_be_cleared(field: str) -> None:
    build.alias("fast")
    answer = call("PUT", f"{ALIASES}/fast", {field: None})
    text = f"{field} may not be null"
    expected = problem(422, "invalid_request", text, errors=[{"field": field, "message": text}])
    assert (answer.status, answer.body | {"title": expected["title"]}) == (422, expected)


def test_delete_takes_it_out_of_every_group() -> None:
    build.alias("fast")
    build.alias("slow")
    names = [f"group-{number:03}" for number in range(43)]
    for name in names:
        build.access_group(name, model_aliases=["fast", "slow", "fa*"])
    build.access_group("without", model_aliases=["slow"])
    answer = call("DELETE", f"{ALIASES}/fast")
    assert (answer.status, answer.body) == (
        200,
        {
            "alias": "fast",
            "deleted": True,
            "message": "Model alias 'fast' deleted successfully",
            "access_groups": names,
        },
    )
    stored = {item["group_name"]: item["model_aliases"] for item in all_items() if item["kind"] == "access_group"}
    assert stored == {name: ["slow", "fa*"] for name in names} | {"without": ["slow"]}
    # Events of one millisecond have no order among each other.
    told = sorted(event["action"] for event in audit_events()[-44:])
    assert told == ["access_group.updated"] * 43 + ["model_alias.deleted"]
    assert call("GET", f"{ALIASES}/fast").status == 404
    assert call("POST", f"{GROUPS}/without/add-models", {"model_aliases": ["fast"]}).status == 422


def test_team_keys_and_strangers_are_refused() -> None:
    build.alias("fast")
    build.organization()
    mine = key(build.team()["virtual_key"])
    before = all_items()
    for method, path, body in (
        ("POST", f"{ALIASES}/create", {"alias": "x", "litellm_model": "openai/gpt-4o"}),
        ("GET", ALIASES, None),
        ("GET", f"{ALIASES}/fast", None),
        ("PUT", f"{ALIASES}/fast", {"active": False}),
        ("DELETE", f"{ALIASES}/fast", None),
    ):
        answer = call(method, path, body, caller=mine)
        assert (answer.status, answer.body) == (
            403, problem(403, "forbidden", "This credential may not use this endpoint"),
        )  # fmt: skip
        assert call(method, path, body, caller=NOBODY).status == 401
    assert all_items() == before
