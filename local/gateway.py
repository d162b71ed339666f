"""API Gateway as an ASGI app: routes, authorizers, gateway responses and integrations."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any

from local.authorizers import AuthorizerGate
from local.events import MAX_PAYLOAD, Request, answer_of, check_payload, proxy_event, request_context
from local.functions import (
    FunctionTimeoutError,
    Invoker,
    Message,
    Receive,
    Send,
)
from local.responses import Answer, GatewayError, GatewayResponses
from local.routing import Router
from local.streaming import StreamingFunction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.template import Route, Template

MAX_BODY = 10 * 1024 * 1024

_REMAPPED = {
    b"authorization",
    b"connection",
    b"content-md5",
    b"date",
    b"server",
    b"user-agent",
    b"via",
    b"www-authenticate",
}

_log = logging.getLogger("local")


class Gateway:
    """The template's API. Its streaming functions live between lifespan startup and shutdown."""

    def __init__(self, template: Template, code: Path) -> None:
        self.functions = template.functions()
        self._stage = template.stage()
        self._cors = template.cors()
        self._responses = GatewayResponses(template.gateway_responses())
        routes = template.routes()
        self._router = Router(routes)
        self.invoker = Invoker("functions")
        self.gate = AuthorizerGate(template.authorizers(), self.functions, Invoker("authorizer"))
        self.streaming = {
            route.function: StreamingFunction(self.functions[route.function], code)
            for route in routes
            if route.streaming and route.function
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    def start(self) -> None:
        """Start the streaming functions in the background of the running event loop."""
        for function in self.streaming.values():
            function.start()

    async def stop(self) -> None:
        """Shut the streaming functions down, and let the worker threads end."""
        for function in self.streaming.values():
            await function.stop()
        self.invoker.renew()
        self.gate.invoker.renew()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        request = _request_of(scope, self._stage)
        send = _stamped(send, request)
        try:
            route = self._route(request)
            if route is None:
                await _send(send, request, self._preflight())
                return
            authorizer = None
            if route.authorizer is not None:
                authorizer = await self.gate.authorize(route.authorizer, request)
            request.body = await _read_body(receive)
            event = proxy_event(request, authorizer)
            check_payload(event)
            if route.streaming and route.function is not None:
                stream = self.streaming[route.function]
                await stream.serve(scope, request, event, _remapped(send), receive)
            else:
                await _send(_remapped(send), request, await self._buffered(route, event))
        except GatewayError as error:
            answer = self._responses.render(error, request_context(request))
            await _send(send, request, answer)

    def _route(self, request: Request) -> Route | None:
        """The route taken; None for a CORS preflight that SAM would answer."""
        route, parameters, known = self._router.match(request.method, request.path)
        if route is None:
            if known and request.method == "OPTIONS" and self._cors is not None:
                return None
            raise GatewayError("MISSING_AUTHENTICATION_TOKEN")
        request.resource = route.path
        request.parameters = parameters
        return route

    def _preflight(self) -> Answer:
        names = {
            "AllowOrigin": "access-control-allow-origin",
            "AllowMethods": "access-control-allow-methods",
            "AllowHeaders": "access-control-allow-headers",
            "AllowCredentials": "access-control-allow-credentials",
            "MaxAge": "access-control-max-age",
        }
        headers = [(names[key], str(value).strip("'")) for key, value in (self._cors or {}).items() if key in names]
        return Answer(200, headers)

    async def _buffered(self, route: Route, event: dict[str, Any]) -> Answer:
        if route.mock is not None or route.function is None:
            return _mock_answer(route.mock or {})
        function = self.functions[route.function]
        try:
            answer = answer_of(await self.invoker.invoke(function, event, route.timeout))
        except GatewayError:
            _log.error("%s: malformed Lambda proxy response", route.function)
            raise
        except FunctionTimeoutError as error:
            _log.error("%s", error)
            raise GatewayError("DEFAULT_5XX") from error
        except TimeoutError as error:
            raise GatewayError("INTEGRATION_TIMEOUT") from error
        except Exception as error:
            raise GatewayError("DEFAULT_5XX") from error
        if len(answer.body) > MAX_PAYLOAD:
            raise GatewayError("DEFAULT_5XX")
        return answer


def _request_of(scope: Message, stage: str) -> Request:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    headers = [(_title(name.decode("latin-1")), value.decode("latin-1")) for name, value in scope["headers"]]
    client = scope.get("client") or ("127.0.0.1", 0)
    request = Request(
        method=scope["method"],
        path=raw.partition(b"?")[0].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        source_ip=str(client[0]),
        stage=stage,
    )
    request.headers += [
        ("X-Amzn-Trace-Id", f"Root=1-{int(request.started):08x}-{request.request_id[-12:]}{'0' * 12}"),
        ("X-Forwarded-For", str(client[0])),
        ("X-Forwarded-Port", str((scope.get("server") or ("", 443))[1])),
        ("X-Forwarded-Proto", str(scope.get("scheme", "http"))),
    ]
    return request


def _title(name: str) -> str:
    """Names as HTTP/1.1 clients write them; the server has them in lower case."""
    return "-".join(part.capitalize() for part in name.split("-"))


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY:
            raise GatewayError("REQUEST_TOO_LARGE")
        if not message.get("more_body"):
            break
    return b"".join(chunks)


def _mock_answer(integration: Mapping[str, Any]) -> Answer:
    default = integration.get("responses", {}).get("default", {})
    prefix = "method.response.header."
    headers = [
        (name.removeprefix(prefix).lower(), str(value).strip("'"))
        for name, value in default.get("responseParameters", {}).items()
    ]
    templates = default.get("responseTemplates", {})
    body = next(iter(templates.values()), "") or ""
    return Answer(int(default.get("statusCode", 200)), headers, body.encode())


def _stamped(send: Send, request: Request) -> Send:
    """`send` that adds API Gateway's own headers to the answer's."""
    own = [
        (b"x-amzn-requestid", request.request_id.encode()),
        (b"x-amz-apigw-id", base64.urlsafe_b64encode(request.request_id[:12].encode())),
    ]

    async def stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *own]}
        await send(message)

    return stamped


def _remapped(send: Send) -> Send:
    """`send` that renames the headers which API Gateway does not let functions set."""

    async def remapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (b"x-amzn-remapped-" + name if name.lower() in _REMAPPED else name, value)
                for name, value in message.get("headers", [])
            ]
            message = {**message, "headers": headers}
        await send(message)

    return remapped


async def _send(send: Send, request: Request, answer: Answer) -> None:
    headers = [
        (name.lower().encode(), value.encode("latin-1", "replace"))
        for name, value in answer.headers
        if name.lower() != "content-length"
    ]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if request.method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})
