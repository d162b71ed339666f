"""The data plane in this process, without a server: its ASGI app with the lifespan it needs."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from proxy.app import Gateway, app

# Every data plane that lives in this process: servers keep theirs to themselves.
_GATEWAYS: weakref.WeakSet[Gateway] = weakref.WeakSet()
_wire = Gateway.__init__


def _wired(self: Gateway, session: aiohttp.ClientSession) -> None:
    _wire(self, session)
    _GATEWAYS.add(self)


Gateway.__init__ = _wired  # type: ignore[method-assign]


def forget_catalogues() -> None:
    """No data plane knows any more what the last test's table held: its versions begin anew with an empty table."""
    for gateway in _GATEWAYS:
        gateway.catalogues._current = None


@asynccontextmanager
async def live_app() -> AsyncIterator[ASGIApp]:
    """The app after its startup; its requests get the lifespan's state, as servers see to."""
    async with app.router.lifespan_context(app) as state:
        assert isinstance(state, Mapping)

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        yield with_state


@asynccontextmanager
async def proxy_client(key: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that calls ``/v1`` with ``key``."""
    headers = {"authorization": f"Bearer {key}"}
    async with live_app() as live:
        transport = httpx.ASGITransport(app=live, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://proxy", headers=headers, timeout=60
        ) as client:
            yield client


async def chat(client: httpx.AsyncClient, model: str, content: str = "Say something", **fields: Any) -> httpx.Response:
    """A chat completion."""
    body = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
    return await client.post("/v1/chat/completions", json=body)
