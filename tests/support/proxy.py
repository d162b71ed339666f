"""The data plane in this process, without a server: its ASGI app with the lifespan it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from proxy.app import app


@asynccontextmanager
async def proxy_client(key: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that calls ``/v1`` with ``key``."""
    headers = {"authorization": f"Bearer {key}"}
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://proxy", headers=headers, timeout=60
        ) as client:
            yield client


async def chat(client: httpx.AsyncClient, model: str, content: str = "Say something", **fields: Any) -> httpx.Response:
    """A chat completion."""
    body = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
    return await client.post("/v1/chat/completions", json=body)
