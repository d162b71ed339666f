"""The users' own documents: the workflows of "Organizations" and "Teams", as their curl lines stand.

Every step is a curl line's method, path and body, with an admin credential added (the documents' service had none), and
what the documents show as its answer: those fields exactly, timestamps and keys by their form.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.testing import MASTER_KEY
from tests.journeys.conftest import Gateway

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
KEY = re.compile(r"sk-[0-9a-f]{32}")
MASKED = re.compile(r"sk-\.\.\.[0-9a-f]{4}")

CREATE_ORG = """{
    "organization_id": "org_acme",
    "name": "ACME Corporation",
    "metadata": {
      "industry": "Technology",
      "tier": "Enterprise"
    }
  }"""
NEW_CUSTOMER = """{
    "organization_id": "org_newcustomer",
    "name": "New Customer Inc",
    "metadata": {
      "tier": "Standard",
      "billing_email": "billing@newcustomer.com"
    }
  }"""
NEW_CUSTOMER_TEAM = """{
    "organization_id": "org_newcustomer",
    "team_id": "newcustomer-prod",
    "team_alias": "Production Team",
    "access_groups": ["gpt-models"],
    "credits_allocated": 1000
  }"""
UPGRADE = """{
    "name": "ACME Corporation",
    "metadata": {
      "tier": "Enterprise Plus",
      "upgraded_at": "2024-10-14"
    }
  }"""
UPDATE_ORG = """{
    "name": "ACME Corporation (Updated)",
    "metadata": {
      "industry": "Technology",
      "tier": "Enterprise Plus",
      "renewal_date": "2025-01-01"
    }
  }"""
ACME_PROD = """{
    "organization_id": "org_acme",
    "team_id": "acme-prod",
    "team_alias": "ACME Production",
    "access_groups": ["gpt-models"],
    "credits_allocated": 1000
  }"""
ACME_ANALYTICS = """{
    "organization_id": "org_acme",
    "team_id": "acme-analytics",
    "team_alias": "ACME Analytics Team",
    "access_groups": ["gpt-models"],
    "credits_allocated": 1000
  }"""
ADD_CREDITS = """{
    "team_id": "acme-prod",
    "amount": 500,
    "description": "Monthly credit top-up"
  }"""
MORE_GROUPS = """{
    "access_groups": ["gpt-models", "claude-models", "gemini-models"]
  }"""
UPDATE_TEAM = """{
    "team_alias": "ACME Production (Updated)",
    "access_groups": ["gpt-models", "claude-models"],
    "metadata": {
      "environment": "production",
      "contact": "tech@acme.com"
    }
  }"""
NEW_CLIENT = """{
    "organization_id": "org_newclient",
    "name": "New Client Inc"
  }"""
NEW_CLIENT_PROD = """{
    "organization_id": "org_newclient",
    "team_id": "newclient-prod",
    "team_alias": "Production",
    "access_groups": ["gpt-models"],
    "credits_allocated": 1000
  }"""
NEW_CLIENT_DEV = """{
    "organization_id": "org_newclient",
    "team_id": "newclient-dev",
    "team_alias": "Development",
    "access_groups": ["gpt-models"],
    "credits_allocated": 500
  }"""


def _shows(answer: Any, documented: Any, where: str = "") -> None:
    """What is documented stands in the answer, exactly; the answer may say more."""
    if isinstance(documented, re.Pattern):
        assert documented.fullmatch(answer), f"{where}: {answer!r}"
    elif isinstance(documented, dict):
        missing = set(documented) - set(answer)
        assert not missing, f"{where} lacks {missing}"
        for name, value in documented.items():
            _shows(answer[name], value, f"{where}.{name}")
    elif isinstance(documented, list):
        assert len(answer) == len(documented), where
        for number, value in enumerate(documented):
            _shows(answer[number], value, f"{where}[{number}]")
    else:
        assert (type(answer), answer) == (type(documented), documented), where


def _curl(gateway: Gateway, method: str, path: str, body: str | None, documented: Any) -> Any:
    headers = {"content-type": "application/json"} if body is not None else {}
    answer = gateway(method, path, body, **headers)
    assert answer.status_code == 200, answer.text
    _shows(answer.json(), documented)
    return answer.json()


@pytest.mark.parametrize("header", ["authorization", "x-admin-key", "x-litellm-api-key"])
def test_creating_an_organization(gateway: Gateway, header: str) -> None:
    """Organizations, "Via API", with each way to send the admin credential."""
    credential = {"authorization": f"Bearer {MASTER_KEY}"} if header == "authorization" else {header: MASTER_KEY}
    answer = gateway.client.post(
        "/api/organizations/create", content=CREATE_ORG, headers={"Content-Type": "application/json"} | credential
    )
    assert answer.status_code == 200
    _shows(
        answer.json(),
        {
            "organization_id": "org_acme",
            "name": "ACME Corporation",
            "metadata": {"industry": "Technology", "tier": "Enterprise"},
            "created_at": TIMESTAMP,
            "status": "active",
        },
    )


def test_onboarding_a_new_customer(gateway: Gateway) -> None:
    """Organizations, workflow 1; and the shared key makes a call."""
    _curl(
        gateway,
        "POST",
        "/api/organizations/create",
        NEW_CUSTOMER,
        {
            "organization_id": "org_newcustomer",
            "name": "New Customer Inc",
            "metadata": {"tier": "Standard", "billing_email": "billing@newcustomer.com"},
            "created_at": TIMESTAMP,
            "status": "active",
        },
    )
    team = _curl(
        gateway,
        "POST",
        "/api/teams/create",
        NEW_CUSTOMER_TEAM,
        {
            "team_id": "newcustomer-prod",
            "organization_id": "org_newcustomer",
            "team_alias": "Production Team",
            "virtual_key": KEY,
            "credits_allocated": 1000,
            "credits_remaining": 1000,
            "status": "active",
            "access_groups": ["gpt-models"],
        },
    )
    gateway.made("/api/model-aliases/create", {"alias": "gpt-of-ours", "litellm_model": "local/echo"})
    called = gateway.chat(team["virtual_key"], "gpt-of-ours")
    assert (called.status_code, called.json()["choices"][0]["message"]["content"]) == (200, "Say something")


def test_upgrading_a_customer(gateway: Gateway) -> None:
    """Organizations, "Update Organization" and workflow 2: metadata is replaced whole."""
    _curl(gateway, "POST", "/api/organizations/create", CREATE_ORG, {})
    for body, name, metadata in (
        (
            UPDATE_ORG,
            "ACME Corporation (Updated)",
            {"industry": "Technology", "tier": "Enterprise Plus", "renewal_date": "2025-01-01"},
        ),
        (UPGRADE, "ACME Corporation", {"tier": "Enterprise Plus", "upgraded_at": "2024-10-14"}),
    ):
        updated = _curl(gateway, "PUT", "/api/organizations/org_acme", body, {"name": name})
        assert updated["metadata"] == metadata


def test_offboarding_a_customer(gateway: Gateway) -> None:
    """Organizations, workflow 3, without the usage export: suspend, delete, and the keys are dead."""
    _curl(gateway, "POST", "/api/organizations/create", CREATE_ORG, {})
    _curl(gateway, "POST", "/api/teams/create", ACME_PROD.replace("acme-prod", "acme-dev"), {})
    key = _curl(gateway, "POST", "/api/teams/create", ACME_PROD, {})["virtual_key"]
    too_early = gateway("DELETE", "/api/organizations/org_acme")
    assert (too_early.status_code, too_early.json()["detail"]) == (409, "Organization has active teams")

    for team_id in ("acme-dev", "acme-prod"):
        _curl(gateway, "POST", f"/api/teams/{team_id}/suspend", None, {"team_id": team_id, "status": "suspended"})
    assert gateway.chat(key).status_code == 403
    _curl(
        gateway,
        "DELETE",
        "/api/organizations/org_acme",
        None,
        {"organization_id": "org_acme", "deleted": True, "state": "done", "teams_deleted": 2, "keys_deleted": 2},
    )

    assert gateway.chat(key).status_code == 401
    for path in ("/api/organizations/org_acme", "/api/teams/acme-dev", "/api/teams/acme-prod"):
        assert gateway("GET", path).status_code == 404
    # The id is free again, and starts empty.
    _curl(gateway, "POST", "/api/organizations/create", CREATE_ORG, {"created_at": TIMESTAMP})
    _curl(gateway, "GET", "/api/organizations/org_acme", None, {"teams": []})


def test_viewing_organizations(gateway: Gateway) -> None:
    """Organizations, "Viewing Organizations" and "Create Team in Organization"."""
    _curl(gateway, "POST", "/api/organizations/create", CREATE_ORG, {})
    _curl(gateway, "POST", "/api/teams/create", ACME_ANALYTICS, {"team_id": "acme-analytics", "virtual_key": KEY})
    shown = {
        "organization_id": "org_acme",
        "name": "ACME Corporation",
        "team_count": 1,
        "total_credits_allocated": 1000,
        "status": "active",
    }
    _curl(gateway, "GET", "/api/organizations", None, {"organizations": [shown]})
    _curl(
        gateway,
        "GET",
        "/api/organizations/org_acme",
        None,
        {
            "organization_id": "org_acme",
            "name": "ACME Corporation",
            "metadata": {"industry": "Technology", "tier": "Enterprise"},
            "teams": [
                {
                    "team_id": "acme-analytics",
                    "team_alias": "ACME Analytics Team",
                    "credits_remaining": 1000,
                    "status": "active",
                }
            ],
            "usage_summary": {"total_jobs": 0, "total_cost_usd": 0, "credits_used": 0},
        },
    )


def test_the_documented_errors(gateway: Gateway) -> None:
    """Organizations, "Troubleshooting"."""
    _curl(gateway, "POST", "/api/organizations/create", CREATE_ORG, {})
    again = gateway("POST", "/api/organizations/create", CREATE_ORG)
    assert again.status_code == 400
    assert "already exists" in again.json()["detail"]
    for bad in ("ACME Corp", "org/acme", "123acme"):
        assert gateway("POST", "/api/organizations/create", CREATE_ORG.replace("org_acme", bad)).status_code == 422


def test_a_client_from_first_to_last(gateway: Gateway) -> None:
    """Teams: create, view, credits, groups, suspend, resume, update, in the order of the document."""
    _curl(gateway, "POST", "/api/organizations/create", CREATE_ORG, {})
    team = {
        "team_id": "acme-prod",
        "organization_id": "org_acme",
        "team_alias": "ACME Production",
        "credits_allocated": 1000,
        "credits_remaining": 1000,
        "status": "active",
        "access_groups": ["gpt-models"],
    }
    key = _curl(gateway, "POST", "/api/teams/create", ACME_PROD, {**team, "virtual_key": KEY})["virtual_key"]
    listed = _curl(gateway, "GET", "/api/teams", None, {"teams": [{**team, "virtual_key": MASKED}]})
    assert key not in str(listed)
    summary = {"total_jobs": 0, "total_cost_usd": 0}
    detail = {**team, "virtual_key": MASKED, "usage_summary": summary}
    _curl(gateway, "GET", "/api/teams/acme-prod", None, detail)

    _curl(gateway, "POST", "/api/credits/add", ADD_CREDITS, {"team_id": "acme-prod"})
    balance = {"team_id": "acme-prod", "credits_remaining": 1500, "credits_allocated": 1500, "credits_used": 0}
    _curl(gateway, "GET", "/api/credits/balance?team_id=acme-prod", None, balance)
    groups = ["gpt-models", "claude-models", "gemini-models"]
    _curl(gateway, "PUT", "/api/teams/acme-prod", MORE_GROUPS, {"access_groups": groups})

    gateway.made("/api/model-aliases/create", {"alias": "gpt-of-ours", "litellm_model": "local/echo"})
    assert gateway.chat(key, "gpt-of-ours").status_code == 200
    _curl(gateway, "POST", "/api/teams/acme-prod/suspend", "", {"team_id": "acme-prod", "status": "suspended"})
    refused = gateway.chat(key, "gpt-of-ours")
    assert (refused.status_code, refused.json()["error"]["message"]) == (403, "Team access suspended - contact support")
    _curl(gateway, "POST", "/api/teams/acme-prod/resume", "", {"team_id": "acme-prod", "status": "active"})
    assert gateway.chat(key, "gpt-of-ours").status_code == 200

    _curl(
        gateway,
        "PUT",
        "/api/teams/acme-prod",
        UPDATE_TEAM,
        {"team_alias": "ACME Production (Updated)", "access_groups": ["gpt-models", "claude-models"]},
    )
    updated = {
        "team_alias": "ACME Production (Updated)",
        "metadata": {"environment": "production", "contact": "tech@acme.com"},
    }
    _curl(gateway, "GET", "/api/teams/acme-prod", None, updated)


def test_onboarding_a_client(gateway: Gateway) -> None:
    """Teams, "Common Client Onboarding Workflow", and the first calls that it wants monitored."""
    _curl(
        gateway,
        "POST",
        "/api/organizations/create",
        NEW_CLIENT,
        {"organization_id": "org_newclient", "name": "New Client Inc", "status": "active", "created_at": TIMESTAMP},
    )
    keys = set()
    for body, team_id, alias, allocated in (
        (NEW_CLIENT_PROD, "newclient-prod", "Production", 1000),
        (NEW_CLIENT_DEV, "newclient-dev", "Development", 500),
    ):
        documented = {
            "team_id": team_id,
            "organization_id": "org_newclient",
            "team_alias": alias,
            "virtual_key": KEY,
            "credits_allocated": allocated,
            "credits_remaining": allocated,
            "status": "active",
            "access_groups": ["gpt-models"],
        }
        keys.add(_curl(gateway, "POST", "/api/teams/create", body, documented)["virtual_key"])
    assert len(keys) == 2
    gateway.made(
        "/api/model-aliases/create",
        {"alias": "gpt-of-ours", "litellm_model": "local/echo", "pricing_input": 1, "pricing_output": 1},
    )
    for key in keys:
        assert gateway.chat(key, "gpt-of-ours").status_code == 200
        assert gateway("GET", "/v1/models", key=key).json()["data"][0]["id"] == "gpt-of-ours"
    for team_id, allocated in (("newclient-prod", 1000), ("newclient-dev", 500)):
        balance = gateway("GET", f"/api/credits/balance?team_id={team_id}").json()
        assert 0 < balance["credits_used"] < 0.001
        assert balance["credits_remaining"] == pytest.approx(allocated - balance["credits_used"], abs=1e-12)
