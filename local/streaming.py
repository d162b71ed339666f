"""Functions under the Lambda Web Adapter: the ASGI app itself, in the gateway's event loop."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from local.functions import AsgiApp, Message, Receive, Send, load_asgi_app, new_context
from local.responses import GatewayError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.events import Request
    from local.template import Function

# The adapter's own headers, and those of the connection between client and API Gateway.
_NOT_PASSED_ON = {
    "x-amzn-request-context",
    "x-amzn-lambda-context",
    "connection",
    "content-length",
    "expect",
    "transfer-encoding",
}
_SHUTDOWN_SECONDS = 20.0
_log = logging.getLogger("local")


class StreamingFunction:
    """An ASGI app that lives as long as the gateway, and the adapter in front of it."""

    def __init__(self, function: Function, code: Path) -> None:
        self._function = function
        self._code = code
        self._state: dict[str, Any] = {}
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._started: asyncio.Future[AsgiApp] | None = None
        self._lifespan: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Future[AsgiApp]:
        """The started app; importing it and its startup run in the background."""
        if self._started is None:
            self._inbox = asyncio.Queue()
            self._started = asyncio.get_running_loop().create_future()
            self._lifespan = asyncio.create_task(self._live(self._started))
        return self._started

    async def stop(self) -> None:
        """Run the app's shutdown; what takes longer than the grace period is cancelled."""
        if self._lifespan is not None:
            self._inbox.put_nowait({"type": "lifespan.shutdown"})
            _, late = await asyncio.wait([self._lifespan], timeout=_SHUTDOWN_SECONDS)
            if late:
                _log.error("%s does not shut down", self._function.logical_id)
                self._lifespan.cancel()
        self._lifespan = self._started = None

    async def _live(self, started: asyncio.Future[AsgiApp]) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                started.set_result(app)
            elif message["type"] == "lifespan.startup.failed":
                started.set_exception(RuntimeError(message.get("message") or "startup failed"))

        try:
            app = await asyncio.to_thread(load_asgi_app, self._function, self._code)
            self._inbox.put_nowait({"type": "lifespan.startup"})
            scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
            await app(scope, self._inbox.get, send)
        except Exception as error:  # noqa: BLE001 - told to every request that waits
            _log.exception("%s does not start", self._function.logical_id)
            if not started.done():
                started.set_exception(error)
        if started.done():
            started.exception()  # seen here, so that asyncio does not warn of it

    async def serve(
        self, scope: Message, request: Request, event: Mapping[str, Any], send: Send, gone: Receive
    ) -> None:
        """Pass one request on; what the app sends goes out as it comes.

        `gone` returns when the client has left. Raises GatewayError if nothing was sent yet.
        """
        begun = finished = False

        async def watched(message: Message) -> None:
            nonlocal begun, finished
            begun = True
            finished = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            app = await asyncio.shield(self.start())
            inner = {**scope, **self._scope(request, event), "state": dict(self._state)}
            async with asyncio.timeout(self._function.timeout):
                await app(inner, _replayed(request.body, gone), watched)
        except Exception as error:
            _log.exception("%s failed", self._function.logical_id)
            if finished:  # Starlette answers 500 and raises all the same
                return
            if begun:
                raise
            timed_out = isinstance(error, TimeoutError)
            raise GatewayError("INTEGRATION_TIMEOUT" if timed_out else "DEFAULT_5XX") from error
        if not begun:
            raise GatewayError("DEFAULT_5XX")

    def _scope(self, request: Request, event: Mapping[str, Any]) -> dict[str, Any]:
        context = new_context(self._function)
        lambda_context = {
            "request_id": context.aws_request_id,
            "deadline": int(context.deadline * 1000),
            "invoked_function_arn": context.invoked_function_arn,
            "env_config": {
                "function_name": context.function_name,
                "memory": context.memory_limit_in_mb,
                "version": context.function_version,
                "log_group": context.log_group_name,
                "log_stream": context.log_stream_name,
            },
        }
        passed = [pair for pair in request.headers if pair[0].lower() not in _NOT_PASSED_ON]
        passed += [
            ("x-amzn-request-context", json.dumps(event["requestContext"])),
            ("x-amzn-lambda-context", json.dumps(lambda_context)),
            ("content-length", str(len(request.body))),
        ]
        return {
            "path": unquote(request.path),
            "raw_path": request.path.encode("latin-1"),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in passed],
        }


def _replayed(body: bytes, gone: Receive) -> Receive:
    """A `receive` that gives the whole body once, then waits for the client to leave."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await gone()

    return receive
