"""HTTP/1.1 POSTs to one host over connections that stay open: what DynamoDB's protocol needs, and no more.

aiohttp spends three times the processor time on an exchange, and the hot path makes four.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast
from urllib.parse import urlsplit

import httptools

_CONNECT_SECONDS = 1
_ANSWER_SECONDS = 3


class Connections:
    """A pool without a limit: as many connections as there are exchanges at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._address = parts.hostname or "", parts.port or (443 if self._tls else 80)
        self._head = f"POST / HTTP/1.1\r\nhost: {parts.netloc}\r\n"
        self._idle: list[_Connection] = []

    async def post(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError when the connection or the answer fails."""
        connection = await self._connection()
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"{self._head}{lines}content-length: {len(body)}\r\n\r\n"
        answer = await connection.exchange(head.encode() + body)
        if connection.reusable:
            self._idle.append(connection)
        return answer

    async def close(self) -> None:
        """Closes what is idle; exchanges that go on end by themselves."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        await asyncio.gather(*(connection.lost for connection in idle))

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, connection = await loop.create_connection(_Connection, *self._address, ssl=self._tls)
        return connection


class _Connection(asyncio.Protocol):
    """One exchange at a time."""

    def __init__(self) -> None:
        self.reusable = True
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        self._answer = self._loop.create_future()
        self._transport.write(request)
        limit = self._loop.call_later(_ANSWER_SECONDS, self._fail, TimeoutError("no answer in time"))
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            limit.cancel()
            self._answer = None

    def close(self) -> None:
        self.reusable = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(str(error)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionError(str(exc or "closed by the server")))
        self.lost.set_result(None)

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self.reusable = self._parser.should_keep_alive()
        body = b"".join(self._parts)
        self._parts.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), body))

    def _fail(self, error: OSError) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
