"""The calls of LiteLLM's Terraform providers, in their order, with what they read of the answers (contract litellm 6.2).

A provider applies, reads back, plans again and destroys. Between the two reads nothing may differ from what was sent;
"not found" is told by words in the error's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.clients.conftest import MASTER_KEY

pytestmark = pytest.mark.clients

_GONE = ("not found", "404", "does not exist")


class Provider:
    """HTTP as the provider speaks it: bodies in DELETE and PATCH, and errors as text with the status in it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def send(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        answer = self._client.request(method, path, json=body, params=query)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def error(self, method: str, path: str, body: Any = None, **query: str) -> str:
        answer = self._client.request(method, path, json=body, params=query)
        assert answer.status_code >= 400, answer.text
        return f"API error: {answer.status_code} {answer.reason_phrase}: {answer.text}"

    def is_gone(self, path: str, **query: str) -> bool:
        text = self.error("GET", path, **query)
        return any(sign in text for sign in _GONE)


@pytest.fixture(scope="module")
def provider(url: str) -> Iterator[Provider]:
    headers = {"Authorization": f"Bearer {MASTER_KEY}", "x-litellm-api-key": MASTER_KEY}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        yield Provider(client)


def kept(sent: dict[str, Any], row: dict[str, Any]) -> None:
    """What was sent is there as it was sent; else the next plan would show drift."""
    assert {name: row.get(name) for name in sent} == sent


def test_budget(provider: Provider) -> None:
    sent = {"budget_id": "tf-budget", "max_budget": 50, "soft_budget": 40, "rpm_limit": 10, "budget_duration": "30d"}
    kept(sent, provider.send("POST", "/budget/new", sent))
    (row,) = provider.send("POST", "/budget/info", {"budgets": ["tf-budget"]})
    kept(sent, row)
    kept({"max_budget": 60}, provider.send("POST", "/budget/update", {"budget_id": "tf-budget", "max_budget": 60}))
    assert "tf-budget" in {row["budget_id"] for row in provider.send("GET", "/budget/list")}
    provider.send("POST", "/budget/delete", {"id": "tf-budget"})
    assert provider.send("POST", "/budget/info", {"budgets": ["tf-budget"]}) == []


def test_organization_with_a_member(provider: Provider) -> None:
    sent = {"organization_alias": "tf organization", "models": ["local/echo"], "metadata": {"made": "by terraform"}}
    made = provider.send("POST", "/organization/new", sent | {"max_budget": 100, "budget_duration": "30d"})
    organization_id = made["organization_id"]
    for _ in range(2):
        row = provider.send("GET", "/organization/info", organization_id=organization_id)
        kept(sent, row)
        kept({"max_budget": 100, "budget_duration": "30d"}, row["litellm_budget_table"])
    listed = provider.send("GET", "/organization/list", org_alias="tf organ")
    assert [row["organization_id"] for row in listed] == [organization_id]

    member = {"role": "internal_user", "user_email": "tf-member@example.com"}
    added = provider.send("POST", "/organization/member_add", {"organization_id": organization_id, "member": [member]})
    (membership,) = added["updated_organization_memberships"]
    user_id = membership["user_id"]
    change = {"organization_id": organization_id, "user_id": user_id, "role": "org_admin"}
    assert provider.send("PATCH", "/organization/member_update", change)["user_role"] == "org_admin"
    row = provider.send("GET", "/organization/info", organization_id=organization_id)
    assert [(one["user_id"], one["user_role"]) for one in row["members"]] == [(user_id, "org_admin")]
    end = {"organization_id": organization_id, "user_id": user_id}
    provider.send("DELETE", "/organization/member_delete", end)
    assert provider.send("GET", "/organization/info", organization_id=organization_id)["members"] == []

    change = {"organization_id": organization_id, "organization_alias": "tf renamed", "models": []}
    kept(change, provider.send("PATCH", "/organization/update", change))
    provider.send("DELETE", "/organization/delete", {"organization_ids": [organization_id]})
    assert provider.is_gone("/organization/info", organization_id=organization_id)


def test_user(provider: Provider) -> None:
    sent = {
        "user_id": "tf-user",
        "user_email": "tf-user@example.com",
        "user_alias": "Terraform",
        "user_role": "internal_user",
        "max_budget": 10,
        "models": ["local/echo"],
        "tpm_limit": 1000,
        "metadata": {"cost_center": "7"},
    }
    made = provider.send("POST", "/user/new", sent | {"auto_create_key": False})
    assert made["user_id"] == "tf-user"
    for _ in range(2):
        kept(sent, provider.send("GET", "/user/info", user_id="tf-user")["user_info"])
    assert provider.error("POST", "/user/new", sent).startswith("API error: 409")
    provider.send("POST", "/user/update", {"user_id": "tf-user", "max_budget": None, "user_alias": "Changed"})
    row = provider.send("GET", "/user/info", user_id="tf-user")["user_info"]
    assert (row["max_budget"], row["user_alias"], row["models"]) == (None, "Changed", ["local/echo"])
    # The name of the parameter is not LiteLLM's; it is ignored.
    assert "tf-user" in {
        one["user_id"] for one in provider.send("GET", "/user/list", user_role="internal_user")["users"]
    }
    assert provider.send("POST", "/user/delete", {"user_ids": ["tf-user"]}) == 1
    assert provider.is_gone("/user/info", user_id="tf-user")


def test_team_with_a_member_permissions_and_keys(provider: Provider) -> None:
    sent = {
        "team_id": "tf-team",
        "team_alias": "tf team",
        "models": ["local/echo"],
        "max_budget": 20,
        "budget_duration": "7d",
        "rpm_limit": 100,
        "metadata": {},
        "blocked": False,
    }
    provider.send("POST", "/team/new", sent)
    for _ in range(2):
        kept(sent, provider.send("GET", "/team/info", team_id="tf-team")["team_info"])
    provider.send("POST", "/user/new", {"user_id": "tf-teammate", "auto_create_key": False})
    member = {"role": "user", "user_id": "tf-teammate"}
    provider.send("POST", "/team/member_add", {"team_id": "tf-team", "member": member, "max_budget_in_team": 5})
    change = {"team_id": "tf-team", "user_id": "tf-teammate", "role": "admin", "max_budget_in_team": 6}
    kept({"max_budget_in_team": 6}, provider.send("POST", "/team/member_update", change))
    team = provider.send("GET", "/team/info", team_id="tf-team")
    assert ("tf-teammate", "admin") in {
        (one["user_id"], one["role"]) for one in team["team_info"]["members_with_roles"]
    }
    permissions = ["/key/generate", "/key/update"]
    provider.send("POST", "/team/permissions_update", {"team_id": "tf-team", "team_member_permissions": permissions})
    listed = provider.send("GET", "/team/permissions_list", team_id="tf-team")
    assert listed["team_member_permissions"] == permissions

    made = provider.send("POST", "/key/generate", {"team_id": "tf-team", "key_alias": "tf-key", "max_budget": 1})
    service = {"team_id": "tf-team", "key_alias": "tf-service", "metadata": {"service_account_id": "tf"}}
    provider.send("POST", "/key/service-account/generate", service)
    for _ in range(2):
        info = provider.send("GET", "/key/info", key=made["key"])["info"]
        kept({"team_id": "tf-team", "key_alias": "tf-key", "max_budget": 1}, info)
    provider.send("POST", "/key/block", {"key": made["key"]})
    assert provider.send("GET", "/key/info", key=made["token"])["info"]["blocked"] is True
    provider.send("POST", "/key/unblock", {"key": made["key"]})
    provider.send("POST", "/key/update", {"key": made["token"], "max_budget": None})
    assert provider.send("GET", "/key/info", key=made["token"])["info"]["max_budget"] is None
    assert len(provider.send("GET", "/key/list", team_id="tf-team", return_full_object="true")["keys"]) == 2
    provider.send("POST", "/key/delete", {"keys": [made["token"]]})
    assert provider.is_gone("/key/info", key=made["token"])

    provider.send("POST", "/team/member_delete", {"team_id": "tf-team", "user_id": "tf-teammate"})
    provider.send("POST", "/team/block", {"team_id": "tf-team"})
    assert provider.send("GET", "/team/info", team_id="tf-team")["team_info"]["blocked"] is True
    provider.send("POST", "/team/unblock", {"team_id": "tf-team"})
    provider.send("POST", "/team/update", {"team_id": "tf-team", "max_budget": None, "rpm_limit": None})
    row = provider.send("GET", "/team/info", team_id="tf-team")["team_info"]
    assert (row["max_budget"], row["rpm_limit"], row["models"]) == (None, None, ["local/echo"])
    provider.send("POST", "/team/delete", {"team_ids": ["tf-team"]})
    assert provider.is_gone("/team/info", team_id="tf-team")


def test_model_and_credential(provider: Provider) -> None:
    credential = {
        "credential_name": "tf-credential",
        "credential_info": {"custom_llm_provider": "openai"},
        "credential_values": {"api_key": "sk-tf-secret"},
    }
    provider.send("POST", "/credentials", credential)
    shown = provider.send("GET", "/credentials/by_name/tf-credential")
    kept({"credential_name": "tf-credential", "credential_info": {"custom_llm_provider": "openai"}}, shown)
    model = {
        "model_name": "tf-model",
        "litellm_params": {
            "model": "openai/gpt-4o-mini",
            "litellm_credential_name": "tf-credential",
            "input_cost_per_token": 0.00000015,
            "output_cost_per_token": 0.0000006,
        },
        "model_info": {"id": "tf-model-id", "mode": "chat"},
    }
    assert provider.send("POST", "/model/new", model)["model_id"] == "tf-model-id"
    for _ in range(2):
        (row,) = provider.send("GET", "/model/info", litellm_model_id="tf-model-id")["data"]
        kept(model["litellm_params"], row["litellm_params"])
        assert (row["model_name"], row["model_info"]["id"], row["model_info"]["mode"]) == (
            "tf-model",
            "tf-model-id",
            "chat",
        )
    provider.send("POST", "/model/delete", {"id": "tf-model-id"})
    assert provider.is_gone("/model/info", litellm_model_id="tf-model-id")
    provider.send("DELETE", "/credentials/tf-credential")
    assert provider.is_gone("/credentials/by_name/tf-credential")
