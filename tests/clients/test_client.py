"""LiteLLM's `Client`, and what its users send through it where it has no method of its own (contract litellm 6.1)."""

from __future__ import annotations

import pytest

from tests.clients.conftest import LiteLlm

pytestmark = pytest.mark.clients

MODEL = "local/echo"


def test_a_key_from_making_to_its_end(litellm: LiteLlm) -> None:
    made = litellm.call("keys.generate", models=[MODEL], key_alias="client-key", spend=0)
    key = made["key"]
    info = litellm.call("keys.info", key=key)
    assert (info["key"], info["info"]["key_alias"], info["info"]["models"]) == (key, "client-key", [MODEL])
    updated = litellm.call("keys.update", key=key, spend=0, models=[])
    assert (updated["key"], updated["spend"], updated["models"]) == (key, 0, [])
    listed = litellm.call("keys.list", key_alias="client-key", return_full_object=True)
    assert [row["token"] for row in listed["keys"]] == [made["token"]]
    assert litellm.call("keys.delete", keys=[key]) == {"deleted_keys": [key]}
    assert litellm.refused("keys.info", key=key)["error"] == "HTTPError"


def test_teams(litellm: LiteLlm) -> None:
    for number in range(3):
        body = {"team_id": f"client-team-{number}", "team_alias": f"Client {number}"}
        litellm.call("http.request", method="POST", uri="/team/new", json=body)
    assert {"Client 0", "Client 1", "Client 2"} <= {row["team_alias"] for row in litellm.call("teams.list")}
    page = litellm.call("teams.list_v2", page=1, page_size=2, team_alias="Client", sort_by="team_alias")
    assert ([row["team_id"] for row in page["teams"]], page["total"]) == (["client-team-0", "client-team-1"], 3)
    assert litellm.call("teams.get_available") == []


def test_models_and_groups(litellm: LiteLlm) -> None:
    made = litellm.call(
        "models.new", model_name="client-model", model_params={"model": MODEL}, model_info={"id": "client-model-id"}
    )
    assert made["model_id"] == "client-model-id"
    assert "client-model" in {model["id"] for model in litellm.call("models.list")}
    (info,) = [one for one in litellm.call("models.info") if one["model_name"] == "client-model"]
    assert info["model_info"]["id"] == "client-model-id"
    assert litellm.call("models.get", model_name="client-model")["model_info"]["id"] == "client-model-id"
    assert "client-model" in {group["model_group"] for group in litellm.call("model_groups.info")}
    litellm.call("models.update", model_id="client-model-id", model_params={"model": MODEL, "rpm": 7})
    assert litellm.call("models.get", model_id="client-model-id")["litellm_params"]["rpm"] == 7
    litellm.call("models.delete", model_id="client-model-id")
    assert "client-model" not in {model["id"] for model in litellm.call("models.list")}


def test_credentials(litellm: LiteLlm) -> None:
    litellm.call(
        "credentials.create",
        credential_name="client-credential",
        credential_info={"custom_llm_provider": "anthropic"},
        credential_values={"api_key": "sk-ant-secret"},
    )
    found = litellm.call("credentials.get", credential_name="client-credential")
    assert found["credential_info"]["custom_llm_provider"] == "anthropic"
    assert "sk-ant-secret" not in str(found)
    assert "client-credential" in {one["credential_name"] for one in litellm.call("credentials.list")["credentials"]}
    litellm.call("credentials.delete", credential_name="client-credential")
    assert litellm.refused("credentials.get", credential_name="client-credential")["error"] != ""


def test_chat(litellm: LiteLlm) -> None:
    answer = litellm.call("chat.completions", model=MODEL, messages=[{"role": "user", "content": "Hello client"}])
    assert answer["choices"][0]["message"]["content"] == "Hello client"


def test_organizations_and_budgets_through_http(litellm: LiteLlm) -> None:
    """There is no client for them: this is what their users send."""

    def send(method: str, uri: str, **body: object) -> object:
        return litellm.call("http.request", method=method, uri=uri, **({"json": body} if body else {}))

    made = send("POST", "/organization/new", organization_alias="Of the client", max_budget=100)
    assert isinstance(made, dict)
    organization_id = made["organization_id"]
    assert made["litellm_budget_table"]["max_budget"] == 100
    shown = send("GET", f"/organization/info?organization_id={organization_id}")
    assert isinstance(shown, dict)
    assert shown["organization_alias"] == "Of the client"
    assert send("DELETE", "/organization/delete", organization_ids=[organization_id]) != []
    budget = send("POST", "/budget/new", budget_id="client-budget", max_budget=7)
    assert isinstance(budget, dict)
    assert budget["max_budget"] == 7
    send("POST", "/budget/delete", id="client-budget")
