"""An ASGI app that streams, waits, fails, and notes how its life went."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

LIFE: list[str] = []


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, str]]:
    LIFE.append("startup")
    yield {"color": "blue"}
    LIFE.append("shutdown")


async def show(request: Request) -> JSONResponse:
    headers = dict(request.headers)
    return JSONResponse(
        {
            "path": request.url.path,
            "raw_path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "color": request.state.color,
            "context": json.loads(headers["x-amzn-request-context"]),
            "lambda": json.loads(headers["x-amzn-lambda-context"]),
            "body": (await request.body()).decode(),
            "headers": headers,
        }
    )


async def stream(_request: Request) -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        try:
            for number in range(1000):
                yield b"data: %d\n\n" % number
                await asyncio.sleep(0.02)
        finally:
            LIFE.append("stream closed")

    return StreamingResponse(chunks(), media_type="text/event-stream")


async def boom(_request: Request) -> JSONResponse:
    message = "asked to fail"
    raise RuntimeError(message)


app = Starlette(
    routes=[
        Route("/v1/stream", stream),
        Route("/v1/boom", boom),
        Route("/v1/{rest:path}", show, methods=["GET", "POST"]),
    ],
    lifespan=lifespan,
)
