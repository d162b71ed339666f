"""One request to an ASGI app in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from local.responses import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.functions import AsgiApp, Message


def http_scope(method: str, path: str, headers: Mapping[str, str], query: str = "") -> dict[str, object]:
    """The connection scope of a request; `path` is percent-encoded, without the query."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
    }


class Collector:
    """The server's side of one request: gives the body, keeps the answer."""

    def __init__(self, body: bytes = b"") -> None:
        self._body: bytes | None = body
        self._start: Message = {}
        self._chunks: list[bytes] = []

    async def receive(self) -> Message:
        """The whole body at first; then nothing ever, as the client does not leave."""
        if self._body is None:
            await asyncio.Event().wait()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(self, message: Message) -> None:
        """Keep a part of the answer."""
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._chunks.append(message.get("body", b""))

    @property
    def answer(self) -> Answer:
        """The answer, streams put together."""
        headers = [(name.decode(), value.decode()) for name, value in self._start["headers"]]
        return Answer(self._start["status"], headers, b"".join(self._chunks))


async def call(app: AsgiApp, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """Ask `app` and wait for the whole answer."""
    collector = Collector(body)
    await app(http_scope(method, path, headers), collector.receive, collector.send)
    return collector.answer
