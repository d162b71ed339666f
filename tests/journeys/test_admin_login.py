"""An administrator's day over HTTP: setting up, logging in, working, logging out; and where a session is no use (Q-09)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.conftest import Gateway

BASE = "/api/admin-users"
NOBODY = "sk-" + "0" * 32
OLGA = {"email": "olga@example.com", "display_name": "Olga", "password": "correct horse"}
ENDED = "Invalid or missing API key"


@pytest.fixture
def token(gateway: Gateway) -> str:
    """The first owner's token."""
    answer = gateway.client.post(f"{BASE}/setup", json=OLGA)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def test_setup_login_work_and_logout(gateway: Gateway, token: str) -> None:
    assert gateway.client.get(f"{BASE}/setup/status").json() == {"needs_setup": False, "has_users": True}
    second = gateway.client.post(f"{BASE}/login", json={"email": OLGA["email"], "password": OLGA["password"]}).json()
    assert second["user"]["role"] == "owner"
    made = gateway("POST", "/api/organizations/create", {"organization_id": "org_acme", "name": "ACME"}, key=token)
    assert made.status_code == 200
    for headers in ({"x-admin-key": token}, {"x-litellm-api-key": token}, {"authorization": f"Bearer {token}"}):
        assert gateway.client.get("/api/organizations/org_acme", headers=headers).status_code == 200
    assert gateway("POST", f"{BASE}/logout", key=token).json() == {"message": "Logged out successfully"}
    refused = gateway("GET", "/api/organizations", key=token)
    assert (refused.status_code, refused.json()["detail"]) == (401, ENDED)
    assert gateway("GET", "/api/organizations", key=second["access_token"]).status_code == 200


def test_a_token_that_was_tampered_with_is_refused_by_the_authorizer(gateway: Gateway, token: str) -> None:
    head, body, _ = token.split(".")
    refused = gateway("GET", "/api/organizations", key=f"{head}.{body}.{'A' * 43}")
    assert (refused.status_code, refused.json()["detail"]) == (401, ENDED)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions"])
def test_a_session_makes_no_calls(gateway: Gateway, token: str, path: str) -> None:
    body = {"model": "local/echo", "messages": [{"role": "user", "content": "Hello"}]}
    method = "GET" if path.endswith("models") else "POST"
    answer = gateway(method, path, body if method == "POST" else None, key=token)
    assert answer.status_code == 403, answer.text
    assert answer.json()["error"]["message"] == "A session may not use this endpoint; use an API key"
    forged = gateway(method, path, body if method == "POST" else None, key=token + "x")
    assert forged.status_code == 401


def test_a_session_reads_jobs_and_starts_none(gateway: Gateway, token: str) -> None:
    gateway.made("/api/organizations/create", {"organization_id": "org_acme", "name": "ACME"})
    team: dict[str, Any] = gateway.made("/api/teams/create", {"organization_id": "org_acme", "team_id": "acme-dev"})
    gateway("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 5})
    request = {"team_id": "acme-dev", "job_type": "summary"}
    refused = gateway("POST", "/api/jobs/create", request, key=token)
    assert (refused.status_code, refused.json()["detail"]) == (403, "This credential may not use this endpoint")
    assert gateway("POST", "/api/jobs/create", request, key=team["virtual_key"]).status_code == 200
    assert gateway("GET", "/api/jobs?team_id=acme-dev", key=token).status_code == 200


def test_an_unknown_key_is_still_unknown(gateway: Gateway) -> None:
    assert gateway("GET", f"{BASE}/me", key=NOBODY).status_code == 401
