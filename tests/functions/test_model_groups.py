"""Model groups: aliases as models in order of priority (contract 1.7, 4; Q-24)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events

GROUPS = "/api/model-groups"
NOON, ONE = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"
MISSING = problem(404, "not_found", "Model alias 'nothing' not found")
CONFIG = {
    "weight": 1,
    "api_base": None,
    "pricing_input": None,
    "pricing_output": None,
    "pricing_cached_input": None,
}


@pytest.fixture(autouse=True)
def standing(empty_table: None, clock: FakeClock) -> None:
    """Every test here tells times."""


def model(name: str, priority: int, *, is_active: bool = True, **config: Any) -> dict[str, Any]:
    return {"model_name": name, "priority": priority, "is_active": is_active, "config": CONFIG | config}


def create(**changes: Any) -> Any:
    request = {
        "group_name": "resume-analysis",
        "display_name": "Resume analysis",
        "description": "reads resumes",
        "models": [
            {"model_name": "anthropic/claude-haiku-4-5", "priority": 1},
            {"model_name": "openai/gpt-4o", "priority": 0},
        ],
        "metadata": {"owner": "hr"},
    }
    return call("POST", f"{GROUPS}/create", request | changes)


def group(model_group_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "model_group_id": model_group_id,
        "group_name": "resume-analysis",
        "display_name": "Resume analysis",
        "description": "reads resumes",
        "status": "active",
        "models": [model("openai/gpt-4o", 0), model("anthropic/claude-haiku-4-5", 1)],
        "metadata": {"owner": "hr"},
        "created_at": NOON,
        "updated_at": NOON,
        "warning": None,
    } | changes


def target_ids() -> dict[str, str]:
    (item,) = [item for item in all_items() if item["kind"] == "model"]
    targets = call("GET", f"/api/model-aliases/{item['alias']}").body["targets"]
    return {target["litellm_model"]: target["target_id"] for target in targets}


def test_create() -> None:
    answer = create()
    assert (answer.status, answer.body) == (200, group(answer.body["model_group_id"]))
    assert call("GET", f"{GROUPS}/resume-analysis").body == answer.body
    assert call("GET", f"{GROUPS}/resume-analysis/models").body == {
        "group_name": "resume-analysis",
        "models": answer.body["models"],
    }
    summary = {name: value for name, value in answer.body.items() if name not in {"metadata", "warning"}}
    assert call("GET", GROUPS).body == {"model_groups": [summary], "next_cursor": None}
    event = audit_events()[-1]
    assert (event["action"], event["resource_id"]) == ("model_alias.created", "resume-analysis")


def test_a_group_is_an_alias() -> None:
    """One namespace (D-11): what one view makes, the others show."""
    create()
    alias = call("GET", "/api/model-aliases/resume-analysis").body
    assert (alias["litellm_model"], alias["fallbacks"]) == ("openai/gpt-4o", ["anthropic/claude-haiku-4-5"])
    assert call("GET", "/api/models/resume-analysis").body["actual_model"] == "gpt-4o"
    build.alias("fast")
    assert [found["group_name"] for found in call("GET", GROUPS).body["model_groups"]] == ["fast", "resume-analysis"]
    taken = create(group_name="fast")
    assert (taken.status, taken.body) == (400, problem(400, "alias_exists", "Alias already exists: 'fast'"))


def test_what_is_set_on_a_model() -> None:
    config = {"weight": 3, "api_base": "https://llm.example.com/v1", "pricing_input": 0.5, "pricing_output": 1.5}
    models = [
        {"model_name": "custom/llama", "priority": 5, "config": config},
        {"model_name": "openai/gpt-4o", "priority": 5, "is_active": False},
        {"model_name": "custom/unpriced"},
    ]
    answer = create(models=models).body
    # Without a priority it is the place in the list that counts.
    assert answer["models"] == [
        model("custom/unpriced", 2),
        model("custom/llama", 5, **config),
        model("openai/gpt-4o", 5, is_active=False),
    ]
    assert answer["warning"] == (
        "No price is known for custom/unpriced: calls cost 0 until pricing_input and pricing_output are set"
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"group_name": "a/b"}, "group_name"),
        ({"group_name": "a b"}, "group_name"),
        ({"group_name": "x" * 101}, "group_name"),
        ({"group_name": "*"}, "group_name"),
        ({"models": []}, "models"),
        ({"models": [{"model_name": "gpt-4o"}]}, "models.0.model_name"),
        ({"models": [{"model_name": "openai/gpt-4o", "priority": -1}]}, "models.0.priority"),
        ({"models": [{"model_name": "openai/gpt-4o", "config": {"weight": 0}}]}, "models.0.config.weight"),
        ({"models": [{"model_name": "openai/gpt-4o"}] * 2}, "models.1.model_name"),
        (
            {"models": [{"model_name": "custom/x", "config": {"pricing_input": 1}}]},
            "models.0.config.pricing_output",
        ),
        ({"metadata": {"a": "x" * 11_000}}, "metadata"),
    ],
)
def test_create_names_the_field_that_is_wrong(change: dict[str, Any], field: str) -> None:
    answer = create(**change)
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])
    assert all_items() == []


def test_update_changes_what_was_sent(clock: FakeClock) -> None:
    created = create().body
    before = target_ids()
    clock.advance(hours=1)
    answer = call("PUT", f"{GROUPS}/resume-analysis", {"status": "inactive", "metadata": None})
    assert answer.body == created | {"status": "inactive", "metadata": {}, "updated_at": ONE}
    models = [{"model_name": "openai/gpt-4o", "is_active": False}, {"model_name": "openai/gpt-4o-mini"}]
    changed = call("PUT", f"{GROUPS}/resume-analysis", {"status": "active", "models": models, "description": None})
    shown = [model("openai/gpt-4o", 0, is_active=False), model("openai/gpt-4o-mini", 1)]
    assert changed.body == answer.body | {"status": "active", "models": shown, "description": None}
    # A model that was there before is still the same one.
    assert target_ids()["openai/gpt-4o"] == before["openai/gpt-4o"]
    for field in ("status", "models"):
        wrong = call("PUT", f"{GROUPS}/resume-analysis", {field: None})
        assert (wrong.status, wrong.body["errors"][0]["field"]) == (422, field)


def test_what_another_view_changes_leaves_the_priorities() -> None:
    models = [{"model_name": "openai/gpt-4o", "priority": 3}, {"model_name": "custom/x", "priority": 7}]
    create(models=models)
    call("PUT", "/api/model-aliases/resume-analysis", {"description": "other", "pricing_input": 2})
    call("PUT", "/api/models/resume-analysis", {"display_name": "Other"})
    body = call("GET", f"{GROUPS}/resume-analysis").body
    assert (body["description"], body["display_name"]) == ("other", "Other")
    assert body["models"] == [model("openai/gpt-4o", 3, pricing_input=2), model("custom/x", 7)]


def test_delete() -> None:
    create()
    build.organization()
    build.team(model_groups=["resume-analysis"])
    build.access_group(model_aliases=["resume-analysis"])
    answer = call("DELETE", f"{GROUPS}/resume-analysis")
    assert (answer.status, answer.body) == (
        200,
        {
            "group_name": "resume-analysis",
            "deleted": True,
            "message": "Model group 'resume-analysis' deleted successfully",
        },
    )
    assert build.team_details()["model_groups"] == []
    assert call("GET", "/api/model-access-groups/acme-models").body["model_aliases"] == []
    assert not [item for item in all_items() if "resume-analysis" in item["PK"] + item["SK"]]


@pytest.mark.parametrize("path", ["", "/models"])
def test_unknown_group(path: str) -> None:
    assert call("GET", f"{GROUPS}/nothing{path}").body == MISSING
    assert call("PUT", f"{GROUPS}/nothing", {"status": "active"}).body == MISSING
    assert call("DELETE", f"{GROUPS}/nothing").body == MISSING


def test_a_teams_key_sees_none() -> None:
    build.organization()
    create()
    caller = key(build.team(model_groups=["resume-analysis"])["virtual_key"])
    for method, path, body in (
        ("GET", GROUPS, None),
        ("GET", f"{GROUPS}/resume-analysis", None),
        ("PUT", f"{GROUPS}/resume-analysis", {"status": "inactive"}),
        ("DELETE", f"{GROUPS}/resume-analysis", None),
    ):
        assert call(method, path, body, caller=caller).status == 403
