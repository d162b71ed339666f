"""The pool under the data plane's DynamoDB client: kept connections, dead ones, silence, and answers cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from tollgate.aws import connections
from tollgate.aws.connections import Connections

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _talk(serve: Serve, client: Callable[[Connections], Awaitable[None]]) -> None:
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def run() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        pool = Connections(f"http://127.0.0.1:{port}")
        await client(pool)
        await pool.close()
        server.close()
        await asyncio.wait(handlers)

    asyncio.run(run())


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


def test_an_exchange_and_the_connection_is_kept() -> None:
    connected, received = [], []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(1)
        while True:
            received.append(await _request(reader))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")
            await asyncio.sleep(0.01)
            writer.write(b"llo")

    async def client(pool: Connections) -> None:
        assert await pool.post({"x-a": "1"}, b"one") == (200, b"hello")
        assert await pool.post({}, b"two") == (200, b"hello")
        both = await asyncio.gather(pool.post({}, b"three"), pool.post({}, b"four"))
        assert both == [(200, b"hello")] * 2

    _talk(serve, client)
    assert received[0].startswith(b"POST / HTTP/1.1\r\nhost: 127.0.0.1:")
    assert received[0].endswith(b"\r\nx-a: 1\r\ncontent-length: 3\r\n\r\none")
    assert len(connected) == 2


def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async def client(pool: Connections) -> None:
        for _ in range(3):
            assert await pool.post({}, b"x") == (200, b"")
            await asyncio.sleep(0.01)

    _talk(serve, client)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", b"no http at all\r\n\r\n"])
def test_an_answer_that_is_none_is_an_error(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(said)
        writer.close()

    async def client(pool: Connections) -> None:
        with pytest.raises(ConnectionError):
            await pool.post({}, b"x")

    _talk(serve, client)


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_ANSWER_SECONDS", 0.05)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        await reader.read()

    async def client(pool: Connections) -> None:
        with pytest.raises(TimeoutError):
            await pool.post({}, b"x")

    _talk(serve, client)


def test_nobody_listens() -> None:
    async def client() -> None:
        with pytest.raises(OSError, match=r"127\.0\.0\.1"):
            await Connections("http://127.0.0.1:9").post({}, b"x")

    asyncio.run(client())
