"""A provider for tests: OpenAI-compatible, on a real socket, and it does whatever a test tells it to.

    with running() as upstream:
        upstream.does("gpt-up", refuse(429, retry_after="7"), answer("Hello"))   # one after the other, the last for ever

What it does is chosen by the model name it is asked for; ``calls`` says what it was sent, to the byte.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PROVIDER_ID = "provider-id-1"
HEADERS = {"x-request-id": PROVIDER_ID, "openai-organization": "org-of-the-provider"}
# Long: only what fails takes it.
_WAIT_SECONDS = 30


@dataclass
class Received:
    """One request as it arrived; ``left`` is set when its client went away before the answer was complete."""

    path: str
    headers: dict[str, str]
    raw: bytes
    left: threading.Event = field(default_factory=threading.Event)
    sent: int = 0

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.raw)
        return body

    @property
    def credential(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


Behaviour = Callable[[web.Request, Received], Awaitable[web.StreamResponse]]


class FakeProvider:
    """What it was sent, and what it does."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Received] = []
        self._does: dict[str, list[Behaviour]] = {}

    def does(self, model: str, *behaviours: Behaviour) -> None:
        self._does[model] = list(behaviours)

    def forget(self) -> None:
        self.calls.clear()
        self._does.clear()

    @property
    def last(self) -> Received:
        return self.calls[-1]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.raw_path, headers, await request.read())
        self.calls.append(received)
        try:
            return await self._next(str(received.body.get("model")))(request, received)
        except (asyncio.CancelledError, ConnectionError):
            received.left.set()
            raise

    def _next(self, model: str) -> Behaviour:
        behaviours = self._does.get(model) or [refuse(404, message=f"no such model: {model}")]
        return behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]


def usage(prompt: int, completion: int, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """A usage object as OpenAI sends it."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def answer(text: str = "Hello there", *, used: dict[str, Any] | None = None, finish: str = "stop") -> Behaviour:
    """A whole answer, or a proper stream if one was asked for: role, words, end, usage if asked, ``[DONE]``."""

    async def behave(request: web.Request, received: Received) -> web.StreamResponse:
        body = received.body
        if request.path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]
            return _json({"object": "list", "model": body["model"], "data": data, "usage": used})
        if body.get("stream"):
            events = [chunk(word) for word in _words(text)] + [chunk("", finish=finish)]
            if used is not None and (body.get("stream_options") or {}).get("include_usage"):
                events.append({**chunk(""), "choices": [], "usage": used})
            return await stream(*events)(request, received)
        message = {"role": "assistant", "content": text}
        return _json(
            {
                "id": PROVIDER_ID,
                "object": "chat.completion",
                "created": 1_700_000_000,
                "model": f"{body['model']}-2026-01-01",
                "choices": [{"index": 0, "message": message, "text": text, "finish_reason": finish}],
                **({"usage": used} if used is not None else {}),
            }
        )

    return behave


def chunk(text: str, *, finish: str | None = None, index: int = 0, **members: Any) -> dict[str, Any]:
    """One chunk of a stream."""
    return {
        "id": PROVIDER_ID,
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "upstream-model-name",
        "choices": [{"index": index, "delta": {"content": text} if text else {}, "finish_reason": finish}],
        **members,
    }


def stream(*events: dict[str, Any] | bytes, done: bool = True, then: str = "end") -> Behaviour:
    """A stream of these events. ``then``: ``end`` it, ``abort`` the connection, or be ``silent`` until it is closed."""

    async def behave(request: web.Request, received: Received) -> web.StreamResponse:
        response = await _begun(request)
        for event in events:
            await response.write(
                event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"
            )
            received.sent += 1
            await asyncio.sleep(0)
        if done:
            await response.write(b"data: [DONE]\n\n")
        if then == "abort":
            await asyncio.sleep(0.05)
            assert request.transport is not None
            request.transport.abort()
        elif then == "silent":
            await asyncio.sleep(600)
        return response

    return behave


def endless(words: Sequence[str] = ("word ",), *, pause: float = 0.01, used: dict[str, Any] | None = None) -> Behaviour:
    """A stream that goes on until its client leaves; ``used`` is told with every chunk."""

    async def behave(request: web.Request, received: Received) -> web.StreamResponse:
        response = await _begun(request)
        while True:
            for word in words:
                event = chunk(word, **({"usage": used} if used else {}))
                await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
                received.sent += 1
                await asyncio.sleep(pause)

    return behave


def refuse(status: int, *, message: str = "no", retry_after: str | None = None, **error: Any) -> Behaviour:
    """An error in OpenAI's shape."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **error}}
    return raw(status, json.dumps(body), headers={"retry-after": retry_after} if retry_after else {})


def raw(
    status: int, text: str | bytes, *, kind: str = "application/json", headers: dict[str, str] | None = None
) -> Behaviour:
    """Exactly this."""

    async def behave(request: web.Request, received: Received) -> web.StreamResponse:
        content = text.encode() if isinstance(text, str) else text
        return web.Response(status=status, body=content, headers={**HEADERS, "content-type": kind, **(headers or {})})

    return behave


def after(released: threading.Event, then: Behaviour) -> Behaviour:
    """The same, when it is released; ``left`` is set if the client does not wait."""

    async def behave(request: web.Request, received: Received) -> web.StreamResponse:
        while not released.is_set():  # noqa: ASYNC110 (another thread sets it)
            await asyncio.sleep(0.005)
        return await then(request, received)

    return behave


def silent() -> Behaviour:
    """No answer at all; ``left`` is set when the client has had enough."""
    return after(threading.Event(), hang_up())


def hang_up() -> Behaviour:
    """The connection is closed without a word."""

    async def behave(request: web.Request, received: Received) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return behave


@contextmanager
def running() -> Iterator[FakeProvider]:
    """A provider that listens, in a thread of its own."""
    provider = FakeProvider()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="provider", daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_start(provider), loop).result(_WAIT_SECONDS)
    try:
        yield provider
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(_WAIT_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_WAIT_SECONDS)
        loop.close()


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true within half a minute."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


async def _start(provider: FakeProvider) -> web.AppRunner:
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("POST", "/{path:.*}", provider.serve)
    # A handler whose client leaves is cancelled: that is how it notices.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    provider.url = f"http://{host}:{port}"
    return runner


async def _begun(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={**HEADERS, "content-type": "text/event-stream"})
    await response.prepare(request)
    return response


def _json(body: dict[str, Any]) -> web.Response:
    return web.json_response(body, headers=HEADERS)


def _words(text: str) -> list[str]:
    return [f"{word} " for word in text.split()]
