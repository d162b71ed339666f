"""Provider credentials by LiteLLM's API: the platform's own (contract litellm 6.1, Q-42)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import Answer, call, key
from tests.support.items import all_items
from tollgate.credentials.model import PROVIDERS

SECRET = "canary-of-the-provider-7aF3"
NAMED = "/credentials/by_name/main"


def new(name: str = "main", provider: str = "openai", **values: Any) -> Answer:
    request = {
        "credential_name": name,
        "credential_info": {"custom_llm_provider": provider},
        "credential_values": {"api_key": SECRET, **values},
    }
    return call("POST", "/credentials", request)


def row(name: str = "main", provider: str = "openai", **values: Any) -> dict[str, Any]:
    return {
        "credential_name": name,
        "credential_info": {"custom_llm_provider": provider},
        "credential_values": {"api_key": "****7aF3", **values},
    }


def native() -> dict[str, dict[str, Any]]:
    found = call("GET", "/api/provider-credentials").body["credentials"]
    return {one["credential_name"]: one for one in found}


def test_a_credential_is_shown_by_its_end_on_both_surfaces() -> None:
    place = {"api_base": "https://acme.openai.azure.com", "api_version": "2024-10-21", "region_name": "westeurope"}
    answer = new("main", "Azure", **place)
    assert (answer.status, answer.body) == (200, {"success": True, "message": "Credential created successfully"})
    shown = row("main", "Azure", **place)
    assert call("GET", NAMED).body == shown
    assert call("GET", "/credentials").body == {"success": True, "credentials": [shown]}
    one = native()["main"]
    assert (one["provider"], one["last4"], one["organization_id"], one["is_active"]) == ("azure", "7aF3", None, True)
    assert one["options"] == {"api_version": "2024-10-21", "region": "westeurope"}
    assert one["metadata"] == {"custom_llm_provider": "Azure"}
    assert SECRET not in str(all_items())


def test_a_native_one_is_there_and_an_organizations_is_not() -> None:
    build.organization()
    build.provider_credential(credential_name="main", api_key=SECRET)
    build.provider_credential(credential_name="theirs", organization_id="org_acme")
    assert call("GET", "/credentials").body["credentials"] == [row()]
    answer = call("GET", "/credentials/by_name/theirs")
    assert (answer.status, answer.body) == (404, {"detail": "Credential not found. Got credential name: theirs"})


def test_a_further_one_takes_nobodys_place() -> None:
    for name in ("first", "second"):
        assert new(name).status == 200
    assert {name: one["is_active"] for name, one in native().items()} == {"first": True, "second": False}
    assert [one["credential_name"] for one in call("GET", "/credentials").body["credentials"]] == ["second", "first"]


def test_a_patch_merges() -> None:
    new(api_base="https://one.example.com", api_version="v1")
    body = {
        "credential_name": "renamed",
        "credential_info": {"description": "of the operator"},
        "credential_values": {"api_key": "another-canary-0123", "region_name": "eu"},
        "credential_values_to_delete": ["api_base"],
    }
    answer = call("PATCH", "/credentials/main", body)
    assert (answer.status, answer.body) == (200, {"success": True, "message": "Credential updated successfully"})
    assert call("GET", "/credentials/by_name/renamed").body == {
        "credential_name": "renamed",
        "credential_info": {"custom_llm_provider": "openai", "description": "of the operator"},
        "credential_values": {"api_key": "****0123", "api_version": "v1", "region_name": "eu"},
    }
    assert call("GET", NAMED).status == 404
    call("PATCH", "/credentials/renamed", {"credential_info": {"description": None}})
    info = call("GET", "/credentials/by_name/renamed").body["credential_info"]
    assert info == {"custom_llm_provider": "openai"}


def test_deletion() -> None:
    new()
    answer = call("DELETE", "/credentials/main")
    assert (answer.status, answer.body) == (200, {"success": True, "message": "Credential deleted successfully"})
    for method in ("DELETE", "PATCH"):
        again = call(method, "/credentials/main", {} if method == "PATCH" else None)
        assert (again.status, again.body) == (404, {"detail": "Credential not found. Got credential name: main"})
    assert call("GET", "/credentials").body["credentials"] == []


def test_one_that_a_model_names_stays() -> None:
    new()
    made = build.model("smart", "openai/gpt-4o", litellm_credential_name="main")
    assert made["litellm_params"]["litellm_credential_name"] == "main"
    (target,) = call("GET", "/api/model-aliases/smart").body["targets"]
    assert target["credential_id"] == native()["main"]["credential_id"]
    used = "Provider credential 'main' is used by model 'smart'"
    answer = call("DELETE", "/credentials/main")
    assert (answer.status, answer.body) == (409, {"detail": {"error": used}})
    answer = call("DELETE", f"/api/provider-credentials/{target['credential_id']}")
    assert (answer.status, answer.body["code"], answer.body["detail"]) == (409, "credential_in_use", used)
    detach = {"litellm_params": {"litellm_credential_name": None}}
    assert call("PATCH", f"/model/{made['model_id']}/update", detach).body["litellm_params"] == {
        "model": "openai/gpt-4o"
    }
    assert call("DELETE", "/credentials/main").status == 200


def test_what_a_model_may_not_name() -> None:
    new()
    for params, param, message in (
        (
            {"model": "openai/gpt-4o", "litellm_credential_name": "no"},
            "litellm_credential_name",
            "Credential 'no' not found. Create it via /credentials before attaching it to a model.",
        ),
        (
            {"model": "anthropic/claude-haiku-4-5", "litellm_credential_name": "main"},
            "litellm_params.litellm_credential_name",
            "litellm_params.litellm_credential_name: 'main' is a credential of openai",
        ),
        (
            {"model": "openai/gpt-4o", "litellm_credential_name": "main", "api_key": SECRET},
            "litellm_params.api_key",
            "litellm_params.api_key: cannot be sent with litellm_credential_name",
        ),
    ):
        answer = call("POST", "/model/new", {"model_name": "smart", "litellm_params": params})
        error = {"message": message, "type": "validation_error", "param": param, "code": "400"}
        assert (answer.status, answer.body) == (400, {"error": error})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        (
            "POST",
            "/credentials",
            {"credential_name": "b", "credential_info": {"custom_llm_provider": "openai"}},
            400,
            "Credential values are required. Unable to infer credential values from model ID.",
        ),
        (
            "POST",
            "/credentials",
            {"credential_name": "b", "credential_info": {}, "credential_values": {"api_key": "k"}},
            400,
            f"credential_info.custom_llm_provider: must be one of {', '.join(PROVIDERS)}",
        ),
        (
            "POST",
            "/credentials",
            {"credential_name": "b", "credential_values": {"api_base": "https://a.example.com"}},
            400,
            "credential_values.api_key: is required",
        ),
        (
            "PATCH",
            "/credentials/main",
            {"credential_values": {"aws_secret_access_key": SECRET}},
            400,
            "credential_values.aws_secret_access_key: is not supported",
        ),
        (
            "PATCH",
            "/credentials/main",
            {"credential_values": {"api_key": None}},
            400,
            "credential_values.api_key: cannot be taken away: delete the credential",
        ),
        (
            "PATCH",
            "/credentials/main",
            {"credential_info": {"custom_llm_provider": "azure"}},
            400,
            "credential_info.custom_llm_provider: cannot be changed: make another credential",
        ),
        (
            "PATCH",
            "/credentials/main",
            {"credential_values": {"api_base": None}, "credential_values_to_delete": ["api_base"]},
            400,
            "credential_values_to_delete overlaps credential_values for key(s): ['api_base']",
        ),
        ("PATCH", "/credentials/main", {"credential_name": "taken"}, 409, "Credential name already exists: 'taken'"),
    ],
)
def test_what_is_refused(method: str, path: str, body: Any, status: int, detail: str) -> None:
    new()
    new("taken")
    answer = call(method, path, body)
    assert (answer.status, answer.body) == (status, {"detail": detail})


def test_a_name_is_taken_once() -> None:
    new()
    answer = new()
    assert (answer.status, answer.body) == (409, {"detail": "Credential name already exists: 'main'"})


def test_an_organizations_admin_has_his_own_and_not_the_platforms() -> None:
    build.organization()
    build.user("ana")
    build.member("organization-member", "org_acme", role="org_admin")
    new()
    made = call("POST", "/key/generate", {"organization_id": "org_acme", "user_id": "ana"}).body["key"]
    for method, path in (("GET", "/credentials"), ("GET", NAMED), ("DELETE", "/credentials/main")):
        answer = call(method, path, caller=key(made))
        detail = {"error": "Only proxy admins manage credentials. Your role=internal_user"}
        assert (answer.status, answer.body) == (403, {"detail": detail})
