"""The demo of `make run`: an organization and a team with credits, made through the API (Q-44)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local import asgi

if TYPE_CHECKING:
    from local.functions import AsgiApp

ORGANIZATION_ID = "org_demo"
TEAM_ID = "demo-team"
CREDITS = 1000

_ORGANIZATION = {"organization_id": ORGANIZATION_ID, "name": "Demo organization"}
_TEAM = {
    "organization_id": ORGANIZATION_ID,
    "team_id": TEAM_ID,
    "team_alias": "Demo team",
    "access_groups": ["*"],
    "credits_allocated": CREDITS,
}
_EXISTS = ("organization_exists", "team_exists")


class SeedError(Exception):
    """The API did not do what the demo needs; the text says which call and its answer."""


async def seed_demo(gateway: AsgiApp, master_key: str) -> str:
    """Make organization and team unless they are there; returns a fresh key of the team."""
    client = _Client(gateway, master_key)
    await client.post("/api/organizations/create", _ORGANIZATION)
    created = await client.post("/api/teams/create", _TEAM)
    if created is None:
        created = await client.post(f"/api/teams/{TEAM_ID}/rotate-key", {})
    return str((created or {})["virtual_key"])


class _Client:
    def __init__(self, gateway: AsgiApp, master_key: str) -> None:
        self._gateway = gateway
        self._headers = {
            "authorization": f"Bearer {master_key}",
            "content-type": "application/json",
            "host": "localhost",
        }

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer's body; None if what is to be made exists. Raises SeedError otherwise."""
        content = json.dumps(body).encode()
        answer = await asgi.call(self._gateway, "POST", path, self._headers, content)
        parsed: dict[str, Any] = json.loads(answer.body)
        if answer.status < 300:
            return parsed
        if parsed.get("code") in _EXISTS:
            return None
        raise SeedError(f"POST {path} answered {answer.status}: {answer.body.decode()}")
