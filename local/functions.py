"""Lambda functions in this process: handlers in worker threads, streaming ones as ASGI apps."""

from __future__ import annotations

import asyncio
import importlib
import logging
import math
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.intrinsics import function_arn

if TYPE_CHECKING:
    from pathlib import Path

    from local.template import Function

Handler = Callable[[Any, Any], Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

_ASGI_APP = re.compile(r"\buvicorn +([\w.]+):(\w+)")
_log = logging.getLogger("local")


class FunctionTimeoutError(Exception):
    """The function ran longer than its own timeout."""


@dataclass
class LambdaContext:
    """What Lambda passes as `context`; `deadline` is in seconds since the epoch."""

    function_name: str
    memory_limit_in_mb: int
    deadline: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    function_version: str = "$LATEST"
    client_context: None = None
    identity: None = None

    @property
    def invoked_function_arn(self) -> str:
        return function_arn(self.function_name)

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        return f"[{self.function_version}]local"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout, at least 0."""
        return max(0, int((self.deadline - time.time()) * 1000))


def new_context(function: Function) -> LambdaContext:
    """The context of an invocation that starts now."""
    return LambdaContext(
        function_name=function.logical_id,
        memory_limit_in_mb=function.memory_mb,
        deadline=time.time() + function.timeout,
    )


def load_handler(function: Function) -> Handler:
    """Import the function's handler; raises ImportError or AttributeError."""
    module, _, symbol = function.handler.rpartition(".")
    handler: Handler = getattr(importlib.import_module(module), symbol)
    return handler


def load_asgi_app(function: Function, code: Path) -> AsgiApp:
    """Import the ASGI app that the function's start script gives uvicorn (`module:attribute`)."""
    script = (code / function.handler).read_text()
    for module, attribute in _ASGI_APP.findall(script):
        app: AsgiApp = getattr(importlib.import_module(module), attribute)
        return app
    message = f"{function.handler} does not start uvicorn with module:attribute"
    raise ImportError(message)


class Invoker:
    """Runs handlers in one worker thread, one invocation at a time.

    A Lambda environment never runs two invocations at once, and handlers are written for that:
    Powertools keeps the current event in a class shared by every resolver of the process. Here all
    functions share one process, so they share one worker.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._pool = self._new_pool()

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._name)

    async def invoke(self, function: Function, event: Any, limit: float = math.inf) -> Any:
        """The handler's result. Raises what it raises, FunctionTimeoutError after the function's
        own timeout, and TimeoutError after `limit` seconds.
        """
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._pool, run_function, function, event)
        done, _ = await asyncio.wait([running], timeout=min(function.timeout, limit))
        if done:
            return running.result()
        # The thread cannot be killed. It is left behind, as Lambda drops the environment.
        running.add_done_callback(lambda future: future.exception())
        self.renew()
        if limit < function.timeout:
            raise TimeoutError
        raise FunctionTimeoutError(f"{function.logical_id} timed out after {function.timeout} seconds")

    def renew(self) -> None:
        """Give the worker thread no more to do, and use a new one from now on."""
        self._pool.shutdown(wait=False)
        self._pool = self._new_pool()


def run_function(function: Function, event: Any) -> Any:
    """Invoke a handler here and now; what it raises is logged and raised."""
    try:
        return load_handler(function)(event, new_context(function))
    except Exception as error:
        if str(error) != "Unauthorized":
            _log.exception("%s failed", function.logical_id)
        raise
