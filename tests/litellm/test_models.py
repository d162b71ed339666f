"""Models by LiteLLM's API: each is a target of an alias, native or not (contract litellm 1.9, Q-24)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import Answer, call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events
from tests.support.profiles import profile
from tollgate.models.model import PROVIDERS

SECRET = "sk-canary-of-the-provider"
NOON, ONE = "2026-03-01T12:00:00.000000+00:00", "2026-03-01T13:00:00.000000+00:00"
# What genai-prices says of gpt-4o.
COSTS = {
    "input_cost_per_token": 0.0000025,
    "output_cost_per_token": 0.00001,
    "cache_read_input_token_cost": 0.00000125,
    "price_source": "catalogue",
}


@pytest.fixture(autouse=True)
def standing(empty_table: None, clock: FakeClock) -> None:
    """Every test here tells times."""


def new(model_name: str = "smart", model: str = "openai/gpt-4o", **fields: Any) -> Answer:
    info = fields.pop("model_info", {})
    return call("POST", "/model/new", {"model_name": model_name, "litellm_params": {"model": model} | fields, **info})


def made(*args: str, **fields: Any) -> dict[str, Any]:
    return build.model(*args, **fields)


def info_of(target_id: str, **changes: Any) -> dict[str, Any]:
    """``model_info`` of the plainest model."""
    return {
        "id": target_id,
        "db_model": True,
        "mode": "chat",
        "description": None,
        "display_name": None,
        "litellm_provider": "openai",
        "max_input_tokens": 128_000,
        "max_output_tokens": None,
        **COSTS,
        "created_at": NOON,
        "updated_at": NOON,
        "key": "openai/gpt-4o",
        "base_model": None,
        "region": None,
        "access_groups": [],
        "created_by": "default_user_id",
        "updated_by": "default_user_id",
    } | changes


def stored(row: dict[str, Any]) -> dict[str, Any]:
    """What only answers of writes say, of a model nobody has changed."""
    times = {"created_at": NOON, "updated_at": NOON, "created_by": "default_user_id", "updated_by": "default_user_id"}
    return row | times | {"model_id": row["model_info"]["id"], "blocked": False, "warning": None}


def listed(**query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = call("GET", "/model/info", query=query).body["data"]
    return rows


def targets(alias: str = "smart") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call("GET", f"/api/model-aliases/{alias}").body["targets"]
    return found


def test_a_new_model_is_an_alias_with_one_target() -> None:
    answer = new(api_key=SECRET, api_base="https://llm.example.com/v1", rpm=60, timeout=30)
    model_id = answer.body["model_id"]
    row = {
        "model_name": "smart",
        "litellm_params": {
            "model": "openai/gpt-4o",
            "timeout": 30,
            "api_base": "https://llm.example.com/v1",
            "rpm": 60,
        },
        "model_info": info_of(model_id),
    }
    assert (answer.status, answer.body) == (200, stored(row))
    assert listed() == [row]
    assert call("GET", "/v1/model/info").body == {"data": [row]}
    (target,) = targets()
    prices = target.pop("prices")
    assert target == {
        "target_id": model_id,
        "litellm_model": "openai/gpt-4o",
        "priority": 0,
        "weight": 60,
        "is_active": True,
        "api_base": "https://llm.example.com/v1",
        "base_model": None,
        "region": None,
        "rpm": 60,
        "tpm": None,
        "credential_id": None,
        "last4": SECRET[-4:],
        "options": {},
    }
    assert (prices["input"], prices["output"], prices["price_source"]) == (2.5, 10, "catalogue")


def test_the_secret_is_nowhere_but_sealed() -> None:
    new(api_key=SECRET)
    assert SECRET not in str(all_items())
    event = audit_events()[-1]
    assert (event["action"], event["resource_id"]) == ("model_alias.created", "smart")
    assert "ciphertext" not in str(event)


def test_a_native_alias_is_a_model() -> None:
    alias = build.alias(
        "fast", "openai/gpt-4o", fallbacks=["anthropic/claude-haiku-4-5"], pricing_input=1, pricing_output=2
    )
    first, second = listed()
    assert first == {
        "model_name": "fast",
        "litellm_params": {
            "model": "openai/gpt-4o",
            "input_cost_per_token": 0.000001,
            "output_cost_per_token": 0.000002,
        },
        "model_info": info_of(alias["targets"][0]["target_id"])
        | {"input_cost_per_token": 0.000001, "output_cost_per_token": 0.000002, "price_source": "override"}
        | {"cache_read_input_token_cost": 0.000001},
    }
    assert second["litellm_params"] == {"model": "anthropic/claude-haiku-4-5", "order": 1}


def test_a_second_one_of_the_name_shares_the_calls() -> None:
    made("smart", "openai/gpt-4o", model_info={"id": "one"})
    made("smart", "azure/mine", api_base="https://acme.openai.azure.com", api_version="2024-10-21", weight=3,
         region_name="westeurope", model_info={"id": "two", "base_model": "azure/gpt-4o"})  # fmt: skip
    one, two = targets()
    assert (one["target_id"], two["target_id"]) == ("one", "two")
    assert (one["priority"], two["priority"], one["weight"], two["weight"]) == (0, 0, 1, 3)
    assert (two["base_model"], two["region"], two["options"]) == (
        "azure/gpt-4o",
        "westeurope",
        {"api_version": "2024-10-21", "region": "westeurope"},
    )
    assert two["prices"]["input"] == 2.5
    assert listed(litellm_model_id="two")[0]["litellm_params"] == {
        "model": "azure/mine",
        "weight": 3,
        "region_name": "westeurope",
        "api_base": "https://acme.openai.azure.com",
        "api_version": "2024-10-21",
    }


def test_two_of_the_same_model_with_two_secrets() -> None:
    """Natively changed, neither is lost."""
    for number in (1, 2):
        made("smart", "openai/gpt-4o", api_key=f"{SECRET}-{number}", model_info={"id": f"id-{number}"})
    call("PUT", "/api/model-aliases/smart", {"litellm_model": "openai/gpt-4o-mini"})
    one, two = targets()
    assert (one["litellm_model"], one["last4"], one["priority"]) == ("openai/gpt-4o-mini", "", 0)
    assert (two["target_id"], two["last4"], two["priority"]) == ("id-2", f"{SECRET}-2"[-4:], 0)


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ({"model": "gpt-4o"}, "openai/gpt-4o"),
        ({"model": "fireworks_ai/accounts/x"}, "fireworks/accounts/x"),
        ({"model": "hosted_vllm/llama"}, "custom/llama"),
        ({"model": "gpt-4o", "custom_llm_provider": "azure"}, "azure/gpt-4o"),
        ({"model": "openai/meta-llama/L", "custom_llm_provider": "openai"}, "openai/meta-llama/L"),
    ],
)
def test_names_of_providers(sent: dict[str, str], means: str) -> None:
    model = sent["model"]
    row = made("smart", model, **{name: value for name, value in sent.items() if name != "model"})
    assert row["litellm_params"] == sent
    assert (row["model_info"]["key"], targets()[0]["litellm_model"]) == (means, means)


def test_prices_per_token_are_kept_per_million() -> None:
    row = made("own", "custom/llama", input_cost_per_token=2e-7, output_cost_per_token="0.0000006",
               api_base="https://llm.example.com")  # fmt: skip
    alias = call("GET", "/api/model-aliases/own").body
    assert (alias["pricing_input"], alias["pricing_output"], alias["price_source"]) == (0.2, 0.6, "override")
    assert (row["litellm_params"]["input_cost_per_token"], row["warning"]) == (0.0000002, None)
    told = made("told", "custom/llama", model_info={"input_cost_per_token": 1e-6, "output_cost_per_token": 0})
    assert told["litellm_params"]["input_cost_per_token"] == 0.000001


def test_a_price_that_nobody_knows_is_an_explicit_zero_with_a_warning() -> None:
    row = made("own", "custom/llama")
    assert row["warning"] == (
        "No price is known for custom/llama: calls cost 0 until pricing_input and pricing_output are set"
    )
    assert (row["model_info"]["input_cost_per_token"], row["model_info"]["price_source"]) == (0, "none")


def test_access_groups_come_with_the_models_that_name_them() -> None:
    build.alias("other")
    build.access_group("known", model_aliases=["other"])
    row = made(model_info={"access_groups": ["known", "beta"]})
    assert row["model_info"]["access_groups"] == ["beta", "known"]
    assert call("GET", "/api/model-access-groups/beta").body["model_aliases"][0]["alias"] == "fast"
    answer = call("PATCH", f"/model/{row['model_id']}/update", {"model_info": {"access_groups": ["beta"]}})
    assert answer.body["model_info"]["access_groups"] == ["beta"]
    known = call("GET", "/api/model-access-groups/known").body
    assert [entry["alias"] for entry in known["model_aliases"]] == ["other"]


def test_absent_keeps_and_null_clears(clock: FakeClock) -> None:
    row = made("smart", "openai/gpt-4o", api_key=SECRET, rpm=60, order=2, max_tokens=100, timeout=30,
               model_info={"supports_vision": True, "max_input_tokens": 5000})  # fmt: skip
    clock.advance(hours=1)
    path = f"/model/{row['model_id']}/update"
    answer = call("PATCH", path, {"litellm_params": {"tpm": 1000}, "model_info": {"description": "quick"}})
    kept = {"model": "openai/gpt-4o", "timeout": 30, "rpm": 60, "tpm": 1000, "order": 2, "max_tokens": 100}
    assert answer.body["litellm_params"] == kept
    changed = {"supports_vision": True, "max_input_tokens": 5000, "max_output_tokens": 100, "description": "quick"}
    assert answer.body["model_info"] == info_of(row["model_id"], **changed, updated_at=ONE)
    assert targets()[0]["last4"] == SECRET[-4:]
    nulls = {"litellm_params": {"rpm": None, "timeout": None, "api_key": None, "order": None, "max_tokens": None}}
    answer = call(
        "PATCH", path, nulls | {"model_info": {"supports_vision": None, "description": None}, "blocked": True}
    )
    assert answer.body["litellm_params"] == {"model": "openai/gpt-4o", "tpm": 1000}
    assert answer.body["model_info"] == info_of(row["model_id"], max_input_tokens=5000, updated_at=ONE)
    assert answer.body["blocked"] is True
    (target,) = targets()
    assert (target["last4"], target["priority"], target["is_active"]) == ("", 0, False)


def test_a_row_that_is_sent_back_changes_nothing() -> None:
    row = made("smart", "gpt-4o", rpm=5, model_info={"access_groups": ["beta"], "supports_vision": True})
    before = call("GET", "/api/model-aliases/smart").body["targets"]
    again = {name: row[name] for name in ("model_name", "litellm_params", "model_info")}
    answer = call("POST", "/model/update", again)
    assert (answer.status, answer.body) == (200, row)
    assert call("GET", "/api/model-aliases/smart").body["targets"] == before


def test_deletion_and_the_last_of_a_name() -> None:
    build.organization()
    for name in ("one", "two"):
        made("smart", model_info={"id": name, "access_groups": ["beta"]})
    build.team(model_groups=["smart"])
    answer = call("POST", "/model/delete", {"id": "one"})
    assert (answer.status, answer.body) == (200, {"message": "Model: one deleted successfully"})
    assert [row["model_info"]["id"] for row in listed()] == ["two"]
    assert build.team_details()["model_groups"] == ["smart"]
    assert call("POST", "/model/delete", {"id": "two"}).status == 200
    assert (listed(), build.team_details()["model_groups"]) == ([], [])
    again = call("POST", "/model/delete", {"id": "two"})
    assert again.status == 400
    assert again.body["error"] == {
        "message": "Model with id=two not found in db",
        "type": "auth_error",
        "param": "None",
        "code": "400",
    }
    assert [item for item in all_items() if item["kind"] in {"model", "model_params"}] == []


def test_a_page_in_every_order() -> None:
    for name in ("b", "a", "c"):
        made(name)
    page = call("GET", "/v2/model/info", query={"size": "2", "sortOrder": "desc"}).body
    assert [row["model_name"] for row in page.pop("data")] == ["c", "b"]
    assert page == {"total_count": 3, "current_page": 1, "total_pages": 2, "size": 2}
    assert [row["model_name"] for row in call("GET", "/v2/model/info", query={"search": "A"}).body["data"]] == ["a"]
    too_many = call("GET", "/v2/model/info", query={"size": "1001"})
    assert (too_many.status, too_many.body["detail"][0]["loc"]) == (422, ["query", "size"])


def test_a_group_is_all_models_of_a_name() -> None:
    made("smart", "openai/gpt-4o", rpm=5, tpm=100, model_info={"supports_vision": True})
    made("smart", "anthropic/claude-haiku-4-5", rpm=7)
    (group,) = call("GET", "/model_group/info").body["data"]
    assert group == {
        "model_group": "smart",
        "providers": ["anthropic", "openai"],
        "max_input_tokens": 200_000,
        "max_output_tokens": None,
        "input_cost_per_token": 0.0000025,
        "output_cost_per_token": 0.00001,
        "mode": "chat",
        "rpm": 12,
        "tpm": 100,
        "supports_parallel_function_calling": None,
        "supports_vision": True,
        "supports_web_search": None,
        "supports_url_context": None,
        "supports_reasoning": None,
        "supports_function_calling": None,
    }
    assert call("GET", "/model_group/info", query={"model_group": "other"}).body == {"data": []}


def test_a_key_sees_what_it_may_use_and_nothing_behind_it() -> None:
    build.organization()
    made(
        "smart", "openai/gpt-4o", api_base="https://llm.example.com", model_info={"id": "one", "supports_vision": True}
    )
    made("fast", "openai/gpt-4o-mini")
    team = build.team(model_groups=["smart"])
    caller = key(team["virtual_key"])
    shown = info_of("one", supports_vision=True)
    hidden = ("key", "base_model", "region", "access_groups", "created_by", "updated_by")
    row = {
        "model_name": "smart",
        "litellm_params": {"model": "smart"},
        "model_info": {name: value for name, value in shown.items() if name not in hidden},
    }
    for path in ("/model/info", "/v1/model/info"):
        assert call("GET", path, caller=caller).body == {"data": [row]}
    assert call("GET", "/v2/model/info", caller=caller).body["total_count"] == 1
    assert [group["model_group"] for group in call("GET", "/model_group/info", caller=caller).body["data"]] == ["smart"]
    other = call("GET", "/model/info", query={"litellm_model_id": "two"}, caller=caller)
    detail = {"error": "Model id = two not found on litellm proxy"}
    assert (other.status, other.body) == (400, {"detail": detail})


def test_each_level_of_a_key_is_a_list_to_pass() -> None:
    for name in ("a", "b", "c", "d"):
        made(name)
    build.organization(models=["a", "b"])
    build.team(model_groups=["b", "c"])
    issued = build.issued_key("acme-dev", models=["b", "d"])
    rows = call("GET", "/model/info", caller=key(issued["virtual_key"])).body["data"]
    assert [row["model_name"] for row in rows] == ["b"]
    call("PUT", "/api/model-aliases/b", {"active": False})
    assert call("GET", "/model/info", caller=key(issued["virtual_key"])).body == {"data": []}


@pytest.mark.parametrize("path", ["/model/new", "/model/update", "/model/delete", "/model/one/update"])
def test_only_the_platform_writes(path: str) -> None:
    build.organization()
    build.team(model_groups=[])
    build.user("ana")
    build.member("team-member", "acme-dev", role="team_admin")
    method = "PATCH" if path.endswith("one/update") else "POST"
    answer = call(method, path, {}, caller=key(build.issued_key("acme-dev", user_id="ana")["virtual_key"]))
    assert (answer.status, answer.body["error"]["type"]) == (401, "auth_error")
    assert answer.body["error"]["message"].startswith("Authentication Error, Only proxy admin can be used")


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"litellm_params": {}}, "litellm_params.model", "is required"),
        (
            {"litellm_params": {"model": "nobody/knows"}},
            "litellm_params.model",
            f"must be provider/model with a provider of {PROVIDERS}",
        ),
        (
            {"litellm_params": {"model": "openai/*"}},
            "litellm_params.model",
            "wildcards are not supported: add each model",
        ),
        ({"max_budget": 5}, "litellm_params.max_budget", "is not supported"),
        ({"tags": ["a"]}, "litellm_params.tags", "is not supported"),
        ({"input_cost_per_second": 0.1}, "litellm_params.input_cost_per_second", "is not supported"),
        ({"aws_secret_access_key": SECRET}, "litellm_params.aws_secret_access_key", "is not supported"),
        ({"vertex_credentials": SECRET}, "litellm_params.vertex_credentials", "is not supported"),
        ({"fallbacks": [{"model": "b", "api_key": SECRET}]}, "litellm_params.fallbacks", "is not supported"),
        ({"api_key": "os.environ/KEY"}, "litellm_params.api_key", "has to be the key itself: no environment is read"),
        (
            {"litellm_params": {"model": "custom/a", "api_key": SECRET}},
            "litellm_params.api_base",
            "is required for this provider",
        ),
        (
            {"litellm_params": {"model": "custom/a", "input_cost_per_token": 1e-6}},
            "litellm_params.output_cost_per_token",
            "must be set too, because the price of 'custom/a' is not known",
        ),
        ({"model_info": {"mode": "rerank"}}, "model_info.mode", "must be one of chat, completion, embedding"),
        (
            {"model_info": {"team_id": "acme-dev"}},
            "model_info.team_id",
            "models are the platform's; add the name to the team's models instead",
        ),
        (
            {"model_info": {"cache_creation_input_token_cost": 1}},
            "model_info.cache_creation_input_token_cost",
            "is not supported",
        ),
    ],
)
def test_what_is_refused_by_its_name(fields: dict[str, Any], param: str, message: str) -> None:
    """What would change money, routing or secrets is never dropped."""
    params = {"model": "openai/gpt-4o"} | {
        name: fields[name] for name in fields.keys() - {"litellm_params", "model_info"}
    }
    request = {"model_name": "smart", "litellm_params": params, **fields}
    answer = call("POST", "/model/new", {name: request[name] for name in request if name in REQUEST})
    assert answer.status == 400, answer.text
    assert answer.body["error"] == {
        "message": f"{param}: {message}",
        "type": "validation_error",
        "param": param,
        "code": "400",
    }
    assert SECRET not in answer.text
    assert listed() == []


REQUEST = {"model_name", "litellm_params", "model_info"}


def test_nothing_is_not_refused() -> None:
    """What a client sends that sets nothing: it has no effect there either."""
    row = made("smart", "openai/gpt-4o", max_budget=None, tags=[], input_cost_per_second=0.0, organization=None)
    assert row["litellm_params"] == {"model": "openai/gpt-4o"}


def test_refusals_that_need_a_model() -> None:
    made("smart", "openai/gpt-4o", api_key=SECRET, model_info={"id": "one"})
    taken = call(
        "POST", "/model/new", {"model_name": "b", "litellm_params": {"model": "gpt-4o"}, "model_info": {"id": "one"}}
    )
    assert (taken.status, taken.body["error"]["message"]) == (400, "Model with id=one already exists")
    for body, message in (
        ({"model_name": "b"}, "model_name: cannot be changed: add the model under the other name and delete this one"),
        ({"model_info": {"id": "two"}}, "model_info.id: cannot be changed"),
        (
            {"litellm_params": {"model": "anthropic/claude-haiku-4-5"}},
            "litellm_params.api_key: has to be sent, too, because the provider is another one",
        ),
    ):
        answer = call("PATCH", "/model/one/update", body)
        assert (answer.status, answer.body["error"]["message"]) == (400, message)
    unknown = call("PATCH", "/model/no/update", {})
    error = {"message": "Model no not found on proxy.", "type": "not_found_error", "param": None, "code": "404"}
    assert (unknown.status, unknown.body["error"]) == (404, error)
    with profile("1.80"):
        assert call("PATCH", "/model/no/update", {}).body["error"] == error | {"param": "None"}
    mode = call(
        "POST",
        "/model/new",
        {"model_name": "smart", "litellm_params": {"model": "gpt-4o"}, "model_info": {"mode": "embedding"}},
    )
    assert mode.body["error"]["message"] == "model_info.mode: the other models of the name 'smart' are for chat"
    for info, what in ((None, "model_info"), ({}, "model_info.id")):
        answer = call("POST", "/model/update", {"litellm_params": {}, "model_info": info})
        assert answer.body["error"]["message"] == f"Authentication Error, {what} not provided"
        assert answer.status == 400


def test_a_name_has_so_many_models_and_no_more() -> None:
    for number in range(11):
        made("smart", model_info={"id": str(number)})
    answer = new()
    assert (answer.status, answer.body["error"]["message"]) == (400, "At most 11 models can have the name 'smart'")
