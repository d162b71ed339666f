"""Calls with keys that only LiteLLM's API makes: without team, with names of their own, limited to some routes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, error
from tests.support import build
from tests.support.api import call
from tests.support.upstream import answer, eventually, usage


@pytest.fixture
def ready(plane: Plane, team: dict[str, Any]) -> Plane:
    plane.provider.does(MODEL, answer(used=usage(100, 10)))
    return plane


def key_of(plane: Plane, **fields: Any) -> dict[str, Any]:
    """A key made by LiteLLM's API, which the plane calls with from now on."""
    made = call("POST", "/key/generate", fields)
    assert made.status == 200, made.text
    plane.key = made.body["key"]
    row: dict[str, Any] = made.body
    return row


@pytest.mark.parametrize("owners", [{}, {"user_id": "ana"}, {"user_id": "nobody"}, {"organization_id": "org_acme"}])
def test_a_key_without_team_calls_within_its_budget(ready: Plane, owners: dict[str, str]) -> None:
    """Its models come from itself, its budgets from key, user and organization; it pays no credits (Q-05)."""
    build.user("ana")
    row = key_of(ready, max_budget=0.01, models=["fast"], **owners)
    assert ready.chat(max_tokens=10).status_code == 200
    assert call("GET", "/key/info", query={"key": row["token"]}).body["info"]["spend"] == 0.0015
    call("POST", "/key/update", {"key": row["token"], "max_budget": 0.001})
    refused = ready.chat(max_tokens=10)
    assert (refused.status_code, refused.json()["error"]["type"]) == (422, "budget_exceeded")
    assert build.team_details()["credits_remaining"] == 1000


def test_a_keys_own_name_for_a_model(ready: Plane) -> None:
    """The key's list needs not have it; what it stands for has to pass every other level (Q-23)."""
    ready.alias("slow")
    row = key_of(ready, team_id="acme-dev", models=["slow"], aliases={"quick": "fast"})
    assert ready.chat("quick").status_code == 200
    assert ready.provider.calls[-1].body["model"] == MODEL
    assert ready.chat("fast").status_code == 403
    build.access_group("others", model_aliases=["slow"])
    call("PUT", "/api/teams/acme-dev", {"access_groups": ["others"]})
    denied = ready.chat("quick")
    assert (denied.status_code, denied.json()["error"]["type"]) == (403, "team_model_access_denied")
    assert row["aliases"] == {"quick": "fast"}


@pytest.mark.parametrize("allowed", [["management_routes"], ["info_routes"], ["/v1/embeddings"]])
def test_a_key_limited_to_other_routes_calls_nothing(ready: Plane, allowed: list[str]) -> None:
    key_of(ready, team_id="acme-dev", allowed_routes=allowed)
    refused = ready.chat()
    message = (
        f"Virtual key is not allowed to call this route. Only allowed to call routes: {allowed}. "
        "Tried to call route: /v1/chat/completions"
    )
    assert (refused.status_code, refused.json()) == (403, error(403, "auth_error", message, param="None"))
    assert ready.provider.calls == []
    job = ready.client.post(
        "/api/jobs/create-and-call",
        json={"team_id": "acme-dev", "job_type": "a", "model": "fast", "messages": [{"role": "user", "content": "a"}]},
        headers=ready.headers(),
    )
    assert job.status_code == 403
    assert job.json()["code"] == "route_not_allowed"


@pytest.mark.parametrize("allowed", [["llm_api_routes"], ["/v1/chat/*"], ["/v1/chat/completions", "/v1/models"]])
def test_a_key_limited_to_these_routes_calls(ready: Plane, allowed: list[str]) -> None:
    key_of(ready, team_id="acme-dev", allowed_routes=allowed)
    assert ready.chat().status_code == 200


def test_the_next_call_follows_a_change(ready: Plane) -> None:
    row = key_of(ready, team_id="acme-dev")
    assert ready.chat().status_code == 200
    call("POST", "/key/block", {"key": row["token"]})
    assert ready.chat().status_code == 401
    call("POST", "/key/unblock", {"key": row["token"]})
    assert ready.chat().status_code == 200
    new = call("POST", "/key/regenerate", {"key": row["key"]}).body
    assert ready.chat().status_code == 401
    ready.key = new["key"]
    assert ready.chat().status_code == 200
    call("POST", "/key/delete", {"keys": [new["token"]]})
    assert ready.chat().status_code == 401


def test_an_old_string_calls_for_a_while(ready: Plane) -> None:
    """With the budget, the limits and the records of the key that it stands for."""
    row = key_of(ready, team_id="acme-dev", max_budget=0.05)
    assert ready.chat(max_tokens=10).status_code == 200
    new = call("POST", "/key/regenerate", {"key": row["key"], "grace_period": "1h"}).body
    assert ready.chat(max_tokens=10).status_code == 200
    assert [record["key_id"] for record in ready.books().records] == [row["token"], new["token"]]
    assert call("GET", "/key/info", query={"key": new["token"]}).body["info"]["spend"] == 0.003
    call("POST", "/key/update", {"key": new["token"], "max_budget": 0.003})
    refused = ready.chat(max_tokens=10)
    assert (refused.status_code, refused.json()["error"]["type"]) == (422, "budget_exceeded")
    call("POST", "/key/block", {"key": new["token"]})
    assert ready.chat().status_code == 401


def test_an_old_string_ends(ready: Plane) -> None:
    row = key_of(ready, team_id="acme-dev")
    call("POST", "/key/regenerate", {"key": row["key"], "grace_period": "1s"})
    assert eventually(lambda: ready.chat().status_code == 401)
    assert ready.chat().json()["error"]["type"] == "token_not_found_in_db"


def test_an_organizations_key_dies_with_it(ready: Plane) -> None:
    """Also where another has been made under its id (Q-01)."""
    build.organization("org_gone")
    row = key_of(ready, organization_id="org_gone")
    assert ready.chat().status_code == 200
    gone = call("DELETE", "/api/organizations/org_gone")
    assert gone.status in {200, 202}, gone.text
    build.organization("org_gone")
    assert ready.chat().status_code == 401
    assert call("GET", "/key/info", query={"key": row["token"]}).status == 404
    assert call("GET", "/key/list", query={"organization_id": "org_gone"}).body["keys"] == []
