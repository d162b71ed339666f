"""What an admin does counts on the very next call, although the authorizer's answers are cached (Q-48)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.conftest import Gateway

TTL_SECONDS = 300


@pytest.fixture
def team(gateway: Gateway) -> dict[str, Any]:
    """A team with credits for a handful of dear calls, whose identity the authorizer has cached."""
    gateway.made("/api/organizations/create", {"organization_id": "org_acme", "name": "ACME"})
    gateway.made(
        "/api/model-aliases/create",
        {"alias": "priced", "litellm_model": "local/echo", "pricing_input": 1000, "pricing_output": 1000},
    )
    gateway.made(
        "/api/model-aliases/create",
        {"alias": "dear", "litellm_model": "local/echo", "pricing_input": 0, "pricing_output": 900_000},
    )
    made = gateway.made(
        "/api/teams/create",
        {"organization_id": "org_acme", "team_id": "acme-dev", "access_groups": ["*"], "credits_allocated": 100},
    )
    assert gateway.chat(made["virtual_key"]).status_code == 200
    return made


@pytest.fixture
def identified(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ``/v1`` requests for which the authorizer was really asked."""
    import authorizer

    asked: list[str] = []
    real = authorizer.handler

    def noted(event: dict[str, Any], context: object) -> dict[str, Any]:
        if "/v1" in event["methodArn"]:
            asked.append(event["methodArn"])
        return real(event, context)

    monkeypatch.setattr(authorizer, "handler", noted)
    return asked


def _done(answer: Any) -> None:
    assert answer.status_code in {200, 201}, answer.text


def test_the_authorizers_answers_are_cached(gateway: Gateway, team: dict[str, Any], identified: list[str]) -> None:
    """What the other tests rely on: asked once per credential, for every route of the data plane."""
    (cached,) = {one.ttl for one in gateway.cloud.template.authorizers().values()} - {0}
    assert cached == TTL_SECONDS
    gateway.cloud.gateway.gate.forget()
    for _ in range(3):
        assert gateway.chat(team["virtual_key"]).status_code == 200
        assert gateway("GET", "/v1/models", key=team["virtual_key"]).status_code == 200
    assert len(identified) == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("verb", "kind", "message"),
    [
        ("suspend", "team_suspended", "Team access suspended - contact support"),
        ("pause", "team_paused", "Team access temporarily paused"),
    ],
)
def test_suspend_pause_and_resume(  # noqa: PLR0917
    gateway: Gateway, team: dict[str, Any], identified: list[str], verb: str, kind: str, message: str, method: str
) -> None:
    key = team["virtual_key"]
    for _ in range(2):
        _done(gateway(method, f"/api/teams/acme-dev/{verb}"))
        refused = gateway.chat(key)
        assert refused.status_code == 403
        assert refused.json()["error"] == {"message": message, "type": kind, "param": None, "code": "403"}
        assert gateway.chat(key, stream=True).status_code == 403
        assert gateway("GET", "/v1/models", key=key).status_code == 403
        _done(gateway(method, "/api/teams/acme-dev/resume"))
        assert gateway.chat(key).status_code == 200
    assert identified == []


def test_an_organization_is_suspended(gateway: Gateway, team: dict[str, Any], identified: list[str]) -> None:
    path = "/api/organizations/org_acme/status"
    _done(gateway("PUT", path, {"status": "suspended"}))
    assert gateway.chat(team["virtual_key"]).json()["error"]["type"] == "organization_suspended"
    _done(gateway("PUT", path, {"status": "active"}))
    assert gateway.chat(team["virtual_key"]).status_code == 200
    assert identified == []


def test_revoke(gateway: Gateway, team: dict[str, Any]) -> None:
    issued = gateway.made("/api/teams/acme-dev/keys", {})
    assert gateway.chat(issued["virtual_key"]).status_code == 200
    _done(gateway("DELETE", f"/api/teams/acme-dev/keys/{issued['key_id']}"))
    assert gateway.chat(issued["virtual_key"]).status_code == 401
    assert gateway.chat(team["virtual_key"]).status_code == 200


def test_rotate(gateway: Gateway, team: dict[str, Any]) -> None:
    rotated = gateway("POST", "/api/teams/acme-dev/rotate-key").json()["virtual_key"]
    assert gateway.chat(team["virtual_key"]).status_code == 401
    assert gateway.chat(rotated).status_code == 200


def test_delete(gateway: Gateway, team: dict[str, Any]) -> None:
    _done(gateway("DELETE", "/api/teams/acme-dev?force=true"))
    assert gateway.chat(team["virtual_key"]).status_code == 401


def test_a_key_that_did_not_exist_a_moment_ago(gateway: Gateway, team: dict[str, Any]) -> None:
    """A refusal is not cached, so that a later key of this name works."""
    issued = gateway.made("/api/teams/acme-dev/keys", {})["virtual_key"]
    assert gateway.chat(f"{issued}x").status_code == 401
    assert gateway.chat(issued).status_code == 200


def test_added_credits(gateway: Gateway, team: dict[str, Any], identified: list[str]) -> None:
    key = team["virtual_key"]
    # Eight tokens or more each, and credits for 111 tokens.
    statuses = [gateway.chat(key, "dear", n=8, max_tokens=3).status_code for _ in range(16)]
    paid = statuses.index(403)
    assert statuses == [200] * paid + [403] * (16 - paid)
    assert paid > 0
    assert gateway.chat(key, "dear", n=8).json()["error"]["type"] == "insufficient_credits"
    _done(gateway("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 100}))
    assert gateway.chat(key, "dear", n=8, max_tokens=3).status_code == 200
    assert identified == []


def test_models_and_limits_of_the_team(gateway: Gateway, team: dict[str, Any], identified: list[str]) -> None:
    gateway.made("/api/model-access-groups/create", {"group_name": "some", "model_aliases": ["priced"]})
    _done(gateway("PUT", "/api/teams/acme-dev", {"access_groups": ["some"]}))
    assert gateway.chat(team["virtual_key"]).status_code == 403
    _done(gateway("PUT", "/api/teams/acme-dev", {"access_groups": ["*"], "cost_markup_percentage": 100}))
    doubled = gateway.chat(team["virtual_key"], "priced", max_tokens=1)
    usage = doubled.json()["usage"]
    assert float(doubled.headers["x-tollgate-cost-usd"]) == pytest.approx(2 * usage["total_tokens"] / 1000)
    assert identified == []
