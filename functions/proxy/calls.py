"""The life of one call: admitted, forwarded, answered, recorded, settled. Whatever happens, it is settled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import orjson
from starlette.types import Message, Receive, Scope, Send

from proxy.headers import comment_of, headers_of
from proxy.requests import outgoing, wants_usage
from proxy.streams import DONE_FRAME, JobRelay, StreamRelay, error_frame
from proxy.upstream import Answer, Upstream
from proxy.usage import reported, shown
from tollgate.core.errors import ProviderError, ProviderTimeoutError, ProviderUnavailableError
from tollgate.http import openai_errors
from tollgate.metering.admission import Admitted
from tollgate.metering.counters import Balance
from tollgate.metering.model import Call, Detail, Usage
from tollgate.metering.settlement import Settlement
from tollgate.metering.tokens import count_prompt, count_text, texts_of
from tollgate.models.prices import TargetPrice

# The provider is stopped this long before the process may be frozen, so that the call can still be settled.
SETTLE_SECONDS = 10
SSE_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class CallRunner:
    """Runs admitted calls."""

    def __init__(self, upstream: Upstream, settlement: Settlement) -> None:
        self._upstream = upstream
        self._settlement = settlement

    async def whole(
        self, admitted: Admitted, request: dict[str, Any], path: str, deadline: float
    ) -> tuple[bytes, dict[str, str]]:
        """A buffered answer and its headers, settled. Raises the ProviderError that the client is to see."""
        body, balance = await self.answer(admitted, request, path, deadline)
        return orjson.dumps(body), headers_of(admitted.call, balance)

    async def answer(
        self, admitted: Admitted, request: dict[str, Any], path: str, deadline: float
    ) -> tuple[dict[str, Any], Balance | None]:
        """A buffered answer as an object, and the balance after it. Raises as ``whole``."""
        call = admitted.call
        async with self._failing(call), asyncio.timeout(_seconds_to(deadline)):
            answer, price = await self._open(admitted, request, path)
            body = _object(await answer.read())
        usage = reported(body.get("usage"))
        if usage is None:
            usage = _within(admitted, _counted(request, body))
            body["usage"] = shown(usage)
        balance = await self._settlement.succeed(call, usage, price)
        body["id"] = f"chatcmpl-{call.call_id}"
        body["model"] = call.requested_model
        return body, balance

    async def open_stream(
        self, admitted: Admitted, request: dict[str, Any], path: str, deadline: float, job: JobStream | None = None
    ) -> StreamingCall:
        """A stream whose provider has begun to answer. Raises its ProviderError, settled, while a status can say it."""
        async with self._failing(admitted.call), asyncio.timeout(_seconds_to(deadline)):
            answer, price = await self._open(admitted, request, path)
        return StreamingCall(admitted, request, answer, price, self._settlement, deadline, job)

    @asynccontextmanager
    async def _failing(self, call: Call) -> AsyncIterator[None]:
        """Whatever goes wrong before the provider has answered ends the call as failed, uncharged."""
        try:
            yield
        except Exception as failure:
            error = _told(failure)
            await self._settlement.fail(call, str(error))
            raise error from failure

    async def _open(self, admitted: Admitted, request: dict[str, Any], path: str) -> tuple[Answer, TargetPrice]:
        sent = outgoing(request, admitted.send_max_tokens, streamed=admitted.call.streamed)
        answer, target = await self._upstream.open(admitted, sent, path)
        price = target.current_price()
        admitted.call.price_version = price.version
        return answer, price


@dataclass(frozen=True, slots=True)
class JobStream:
    """What is special about a stream in a job; ``job_id`` of one that was made for it, ``ended`` is told at its end."""

    job_id: str | None = None
    ended: Callable[[Call], Awaitable[None]] | None = None


class StreamingCall:
    """The rest of a streamed call, as the ASGI response that sends it."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        admitted: Admitted,
        request: dict[str, Any],
        answer: Answer,
        price: TargetPrice,
        settlement: Settlement,
        deadline: float,
        job: JobStream | None = None,
    ) -> None:
        self._admitted = admitted
        self._call = admitted.call
        self._request = request
        self._answer = answer
        self._settlement = settlement
        self._deadline = deadline
        self._price = price
        self._job = job
        call_id, alias = self._call.call_id, self._call.requested_model
        self._relay = (
            JobRelay(call_id, alias)
            if job is not None
            else StreamRelay(call_id, alias, wants_usage=wants_usage(request))
        )
        self._left = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (ASGI's signature)
        """Relays until the provider ends, breaks off, or the client leaves; then settles; then ends the response."""
        headers = SSE_HEADERS | headers_of(self._call, None)
        if self._job is not None and self._job.job_id is not None:
            headers["x-tollgate-job-id"] = self._job.job_id
        send = self._noticing(send)
        await send({"type": "http.response.start", "status": 200, "headers": _raw(headers)})
        watcher = asyncio.create_task(self._watch(receive))
        try:
            failure = await self._relay_all(send)
        finally:
            watcher.cancel()
            self._answer.close()
        ending = self._ending(failure)
        await _send(send, ending)
        # The client has everything; the function must not end before the books do (design section 1).
        balance = await self._settle(failure)
        await _send(send, comment_of(self._call, balance))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def abandon(self) -> None:
        """Ends a call whose client is gone before anything could be sent."""
        self._left = True
        self._answer.close()
        await self._settle(None)

    def _noticing(self, send: Send) -> Send:
        """``send`` for servers that raise when the client has gone: the call goes on to its settlement."""

        async def noticing(message: Message) -> None:
            try:
                await send(message)
            except OSError:
                self._left = True

        return noticing

    async def _watch(self, receive: Receive) -> None:
        """Closing the provider's connection is what ends the relay when the client has gone."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._left = True
        self._answer.close()

    async def _relay_all(self, send: Send) -> ProviderError | None:
        """Sends what comes; returns what went wrong, None if all is well or the client left."""
        try:
            async with asyncio.timeout(_seconds_to(self._deadline)):
                async for data in self._answer.chunks():
                    if self._call.first_token_at is None:
                        self._call.first_token_at = time.time()
                    await _send(send, self._relay.feed(data))
                    if self._left:
                        return None
                    if self._relay.done:
                        break
        except TimeoutError:
            return ProviderTimeoutError("The provider did not finish in time")
        except (aiohttp.ClientError, OSError):
            return None if self._left else ProviderUnavailableError("The provider broke off")
        await _send(send, self._relay.feed(b"\n"))
        if self._relay.error is not None:
            return ProviderUnavailableError("The provider broke off")
        if not self._relay.finished and not self._left:
            return ProviderUnavailableError("The provider ended before it was finished")
        return None

    def _usage(self) -> Usage:
        told = self._relay.usage
        if told is not None and self._relay.finished:
            return told
        counted = _within(self._admitted, self._relay.counted(count_prompt(self._request)))
        if told is None:
            return counted
        # Providers that report as they go may lag behind what they have produced.
        return told if told.output >= counted.output else replace(told, output=counted.output, estimated=True)

    def _ending(self, failure: ProviderError | None) -> bytes:
        if failure is not None:
            return error_frame(openai_errors.answer(failure).body) + DONE_FRAME
        return self._relay.usage_frame(self._usage()) + DONE_FRAME

    async def _settle(self, failure: ProviderError | None) -> Balance | None:
        balance = await self._settled(failure)
        if self._job is not None and self._job.ended is not None:
            await self._job.ended(self._call)
        return balance

    async def _settled(self, failure: ProviderError | None) -> Balance | None:
        """By the table of Q-16."""
        if failure is None:
            detail = Detail.CLIENT_DISCONNECTED if self._left and not self._relay.finished else None
            return await self._settlement.succeed(self._call, self._usage(), self._price, detail)
        if isinstance(failure, ProviderTimeoutError) and self._relay.produced:
            # We stopped it, not the provider: what was produced will be billed to us.
            return await self._settlement.succeed(self._call, self._usage(), self._price, Detail.DEADLINE)
        self._call.detail = Detail.UPSTREAM_INCOMPLETE
        return await self._settlement.fail(self._call, failure.message, self._relay.usage, self._price)


def _within(admitted: Admitted, usage: Usage) -> Usage:
    """Our own count never says more than what was reserved for: the provider cannot have used more."""
    bounds = admitted.bounds
    most = admitted.call.max_output_tokens * bounds.choices
    return Usage(min(usage.input, bounds.input), min(usage.output, most), estimated=True)


def _counted(request: dict[str, Any], body: dict[str, Any]) -> Usage:
    """Our own count of a buffered answer without usage."""
    listed = body.get("choices")
    choices = [choice for choice in listed if isinstance(choice, dict)] if isinstance(listed, list) else []
    texts = texts_of([choice.get("message", choice) for choice in choices])
    return Usage(count_prompt(request), sum(map(count_text, texts)), estimated=True)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise ProviderUnavailableError("The provider's answer was not JSON")
    if body.get("error"):
        raise ProviderUnavailableError("The provider failed after it had begun to answer")
    return body


def _told(failure: Exception) -> Exception:
    """What the client hears of a failure; one that nobody foresaw stays what it is."""
    if isinstance(failure, TimeoutError):
        return ProviderTimeoutError("The provider did not answer in time")
    if isinstance(failure, aiohttp.ClientError):
        return ProviderUnavailableError("The provider broke off")
    return failure


def _seconds_to(deadline: float) -> float:
    return max(0.0, deadline - SETTLE_SECONDS - time.time())


async def _send(send: Send, block: bytes) -> None:
    if block:
        await send({"type": "http.response.body", "body": block, "more_body": True})


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
