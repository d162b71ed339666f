"""CORS: answers to pages of the stack's origins carry the header, others do not (parameter CorsOrigins)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette

from proxy import app as proxy_app
from tests.support.api import event
from tests.support.environment import other_settings
from tollgate.auth.policy import Action
from tollgate.http.api import AdminApi, admin_api

ORIGIN = "https://console.example"


@pytest.fixture
def _origins() -> Iterator[None]:
    with other_settings(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORS_ORIGINS", f"https://first.example, {ORIGIN}")
        yield


def _headers_of(api: AdminApi, origin: str, caller: dict[str, str] | None) -> dict[str, list[str]]:
    answer = api.resolve(event("GET", "/health", caller=caller, headers={"Origin": origin}), None)  # type: ignore[arg-type]
    headers: dict[str, list[str]] = answer["multiValueHeaders"]
    return headers


@pytest.mark.usefixtures("_origins")
@pytest.mark.parametrize("action", [None, Action.ORGANIZATION_LIST])
def test_admin_answers_and_refusals(action: Action | None) -> None:
    api = admin_api(action)

    @api.get("/health")
    def health() -> dict[str, str]:
        return {"status": "healthy"}

    assert _headers_of(api, ORIGIN, None)["Access-Control-Allow-Origin"] == [ORIGIN]
    assert "Access-Control-Allow-Origin" not in _headers_of(api, "https://evil.example", None)


@pytest.mark.usefixtures("_origins")
def test_the_data_plane() -> None:
    app = Starlette(routes=proxy_app.app.routes, middleware=proxy_app._cors())

    async def ask(origin: str) -> httpx.Headers:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://proxy") as client:
            return (await client.get("/healthz", headers={"origin": origin})).headers

    assert asyncio.run(ask(ORIGIN))["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in asyncio.run(ask("https://evil.example"))
