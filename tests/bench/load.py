"""A load generator in a process of its own: `python -m tests.bench.load <job as JSON>` prints a Result as JSON."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import orjson
import uvloop


@dataclass(frozen=True)
class Job:
    """`calls` POSTs of one body to a port of this machine, over `connections` that stay open."""

    port: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any] = field(default_factory=dict)
    calls: int = 1
    connections: int = 1


@dataclass(frozen=True)
class Result:
    """What the calls took, in milliseconds each; `first` is the time to the first event of a stream."""

    seconds: float
    p50: float
    p99: float
    first: float | None


class CallFailedError(Exception):
    """An answer that was not a 200: the figures would mean nothing."""


class _Connection(asyncio.Protocol):
    """One call at a time; `call` gives the moments of its first event and of its end."""

    def __init__(self) -> None:
        self._done: asyncio.Future[tuple[float, float]] | None = None
        self._received = bytearray()
        self._first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(CallFailedError(f"connection lost: {exc}"))

    async def call(self, request: bytes) -> tuple[float, float]:
        self._done = asyncio.get_running_loop().create_future()
        self._received.clear()
        self._first = 0.0
        self._transport.write(request)
        return await self._done

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        if not self._first and b"data: {" in self._received:
            self._first = time.perf_counter()
        if not self._complete(end) or self._done is None:
            return
        if self._received.startswith(b"HTTP/1.1 200"):
            self._done.set_result((self._first, time.perf_counter()))
        else:
            self._done.set_exception(CallFailedError(bytes(self._received[:1000]).decode()))

    def _complete(self, end: int) -> bool:
        head = bytes(self._received[:end]).lower()
        _, announced, rest = head.partition(b"content-length:")
        if announced:
            return len(self._received) >= end + 4 + int(rest.partition(b"\r\n")[0])
        return self._received.endswith(b"\r\n0\r\n\r\n")


def request_of(job: Job) -> bytes:
    """The bytes of the job's request."""
    body = orjson.dumps(job.body)
    headers = {"host": f"127.0.0.1:{job.port}", "content-type": "application/json", **job.headers}
    lines = [f"POST {job.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


async def _run(job: Job) -> Result:
    request = request_of(job)
    tickets = iter(range(job.calls))
    took: list[float] = []
    first: list[float] = []
    connect = asyncio.get_running_loop().create_connection
    connections = [(await connect(_Connection, "127.0.0.1", job.port))[1] for _ in range(job.connections)]
    began = time.perf_counter()
    await asyncio.gather(*(_worker(connection, request, tickets, took, first) for connection in connections))
    seconds = time.perf_counter() - began
    took.sort()
    return Result(
        seconds=seconds,
        p50=statistics.median(took),
        p99=took[min(len(took) - 1, len(took) * 99 // 100)],
        first=statistics.median(first) if first else None,
    )


async def _worker(
    connection: _Connection, request: bytes, tickets: Iterator[int], took: list[float], first: list[float]
) -> None:
    for _ in tickets:
        began = time.perf_counter()
        first_at, end = await connection.call(request)
        took.append((end - began) * 1000)
        if first_at:
            first.append((first_at - began) * 1000)


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(asdict(uvloop.run(_run(Job(**orjson.loads(sys.argv[1])))))))
