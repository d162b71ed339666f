"""What a gateway that does nothing costs: the same server, framework and client as the proxy, forwarding only."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

_URL = os.environ["UPSTREAM_BASE_URL"] + "/chat/completions"


async def _forward(request: Request) -> Response:
    session: aiohttp.ClientSession = request.app.state.session
    headers = {"content-type": "application/json", "authorization": request.headers["authorization"]}
    answer = await session.post(_URL, data=await request.body(), headers=headers)
    if answer.content_type == "text/event-stream":
        return StreamingResponse(answer.content.iter_any(), answer.status, media_type="text/event-stream")
    return Response(await answer.read(), answer.status, media_type="application/json")


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        app.state.session = session
        yield


app = Starlette(routes=[Route("/v1/chat/completions", _forward, methods=["POST"])], lifespan=_lifespan)
