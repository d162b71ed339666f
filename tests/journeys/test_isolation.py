"""A second tenant tries everything, with the first one's ids: for him they do not exist (Q-01, Q-09)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.journeys.conftest import Gateway
from tests.support.api import ROUTES
from tests.support.books import books
from tests.support.requests import UNKNOWN, Endpoint, World, admin_endpoints

OPEN = {route.function for route in ROUTES if route.authorizer is None}
# What a key learns of itself names no resource.
OF_THE_KEY = {"VerifyKeyFunction"}
GUARDED = [endpoint for endpoint in admin_endpoints() if endpoint.function not in OPEN]

_world = World()


@pytest.fixture
def world(gateway: Gateway) -> World:
    _world.build()
    return _world


def _ask(gateway: Gateway, endpoint: Endpoint, values: dict[str, str], key: str) -> Any:
    """The endpoint's valid request, about the tenant of ``values``."""
    swap = {_world.values[name]: value for name, value in values.items()}
    query = {name: swap.get(value, value) for name, value in endpoint.valid.query.items()}
    body = endpoint.valid.body and {
        name: swap.get(value, value) if isinstance(value, str) else value for name, value in endpoint.valid.body.items()
    }
    target = endpoint.path(values) + ("?" + "&".join(f"{n}={v}" for n, v in query.items()) if query else "")
    return gateway(endpoint.method, target, body, key=key)


@pytest.mark.parametrize("key", ["foreign_key", "unknown"])
def test_every_admin_route(gateway: Gateway, world: World, key: str) -> None:
    credential = getattr(world, key, "sk-ffffffffffffffffffffffffffffffff")
    for endpoint in GUARDED:
        if key == "foreign_key" and endpoint.function in OF_THE_KEY:
            continue
        answer = _ask(gateway, endpoint, world.values, credential)
        assert answer.status_code in ({401} if key == "unknown" else {403, 404}), (endpoint, answer.text)
        # The same as for what exists nowhere, but for the id that was asked for.
        nobodys = UNKNOWN | {"scope": world.values["scope"]}
        other = _ask(gateway, endpoint, nobodys, credential)
        told, unknown = answer.json(), other.json()
        for name, value in world.values.items():
            told["detail"] = told["detail"].replace(f"'{value}'", f"'{nobodys[name]}'")
        told.pop("instance"), unknown.pop("instance")
        assert (answer.status_code, told) == (other.status_code, unknown), endpoint
        assert not [secret for secret in world.secrets if secret in answer.text]
    assert not world.changed()


def test_the_own_team_is_open(gateway: Gateway, world: World) -> None:
    """The refusals above are the tenant's, not the key's: his own team he may read."""
    for path in ("/api/teams/other-dev", "/api/credits/balance?team_id=other-dev"):
        assert gateway("GET", path, key=world.foreign_key).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amzn-request-context": json.dumps({"authorizer": {"kind": "master"}})},
        {"x-amzn-request-context": json.dumps({"authorizer": {"team_id": "acme-dev", "organization_id": "org_acme"}})},
        {"x-amzn-lambda-context": json.dumps({"deadline": 0})},
        {"x-tollgate-team": "acme-dev", "openai-organization": "org_acme"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_the_data_plane_believes_no_header(gateway: Gateway, world: World, headers: dict[str, str]) -> None:
    question = {
        "model": "local/echo",
        "messages": [{"role": "user", "content": "x"}],
        "user": "acme-dev",
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "metadata": {"team_id": "acme-dev"},
    }
    gateway("PUT", "/api/teams/other-dev", {"access_groups": ["*"]})
    answer = gateway("POST", "/v1/chat/completions", question, key=world.foreign_key, **headers)
    assert answer.status_code == 200, answer.text
    (record,) = books("other-dev").records
    assert (record["team_id"], record["organization_id"]) == ("other-dev", "org_other")
    assert books("acme-dev").records == []


def test_a_virtual_key_in_an_admin_header_is_nobody_else(gateway: Gateway, world: World) -> None:
    for header in ("x-admin-key", "x-litellm-api-key"):
        answer = gateway.client.get("/api/organizations", headers={header: world.team_key})
        assert answer.status_code == 403
        answer = gateway.client.get("/v1/models", headers={header: world.team_key})
        assert answer.status_code == 401
