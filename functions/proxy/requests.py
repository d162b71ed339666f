"""Reading a client's request: credential, hint, deadline, body."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from tollgate.auth.credentials import from_headers, is_session_token, presented
from tollgate.core.errors import ForbiddenError, InvalidRequestError, RequestTooLargeError, UnauthenticatedError
from tollgate.metering.bounds import OUTPUT_LIMITS
from tollgate.metering.entitlement import Hint
from tollgate.metering.meters import MAX_TAGS

MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_CUSTOMER_ID = 256
MAX_TAG = 128
# Levels of arrays and objects; the encoder gives up soon after 250.
MAX_DEPTH = 200
# Where there is no function deadline: locally, and in any other ASGI server.
DEFAULT_SECONDS = 900
# What a call of each route cannot be without.
_REQUIRED = {"/chat/completions": "messages", "/completions": "prompt", "/embeddings": "input"}
PATHS = tuple(_REQUIRED)
# Before each of them; those with a model name it in the path, as old clients of OpenAI and those of Azure do.
PREFIXES = ("/v1", "", "/engines/{model:path}", "/v1/engines/{model:path}", "/openai/deployments/{model:path}")
_CONTEXT = "x-amzn-request-context"
_LAMBDA = "x-amzn-lambda-context"


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as it came in. ``deadline`` is epoch seconds at which this process may be frozen or killed.

    ``route`` is the path of a call under ``/api``, which a key may be barred from.
    """

    credential: str
    hint: Hint
    started_at: float
    deadline: float
    route: str = ""


def inbound_of_api(headers: Headers) -> Inbound:
    """A call under ``/api``, where a credential may stand in more headers (Q-33). Raises as ``inbound`` does."""
    now = time.time()
    credential = presented(headers, admin=True)
    if is_session_token(credential):
        raise ForbiddenError("A session may not call models; use an API key")
    return Inbound(credential, _hint(headers), now, _deadline(headers, now))


def inbound_of_azure(headers: Headers) -> Inbound:
    """A call as Azure's clients make it, with the key as ``api-key`` (Q-33). Raises as ``inbound`` does."""
    key = headers.get("api-key")
    return inbound(Headers({**headers, "authorization": f"Bearer {key}"}) if key is not None else headers)


def route_of(path: str) -> str:
    """Which of ``PATHS`` a request's path is, whatever stands before it."""
    return next(route for route in PATHS if path.endswith(route))


def inbound(headers: Headers) -> Inbound:
    """Raises UnauthenticatedError without a well-formed credential."""
    now = time.time()
    try:
        credential = from_headers(headers, admin=False)
    except UnauthenticatedError as error:
        raise UnauthenticatedError(error.message, code="auth_error") from None
    return Inbound(credential, _hint(headers), now, _deadline(headers, now))


def _hint(headers: Headers) -> Hint:
    """The authorizer's context, passed on by the Lambda Web Adapter; believed in nothing (design section 3)."""
    context = headers.get(_CONTEXT)
    if context is None:
        return Hint()
    authorizer = _json(context).get("authorizer")
    if not isinstance(authorizer, dict):
        return Hint()
    return Hint(**{name: str(authorizer.get(name, "")) for name in Hint.__slots__})


def _deadline(headers: Headers, now: float) -> float:
    context = headers.get(_LAMBDA)
    deadline_ms = _json(context).get("deadline") if context else None
    return deadline_ms / 1000 if isinstance(deadline_ms, int | float) else now + DEFAULT_SECONDS


def _json(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


async def body_of(request: Request) -> bytes:
    """The raw body. Raises RequestTooLargeError above 5 MB."""
    too_large = RequestTooLargeError(f"The request body may have at most {MAX_BODY_BYTES} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_BODY_BYTES:
                raise too_large
            parts.append(part)
    except ClientDisconnect:
        raise InvalidRequestError("The client left before the request was complete") from None
    return b"".join(parts)


def parsed(raw: bytes, path: str) -> dict[str, Any]:
    """The request object. Raises InvalidRequestError that names what is wrong; unknown members pass through."""
    try:
        request = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"Invalid JSON payload: {error}", param="request_body") from None
    if not isinstance(request, dict):
        raise InvalidRequestError("The request body must be a JSON object", param="request_body")
    if _too_deep(raw, request):
        raise InvalidRequestError(f"The request body may be nested {MAX_DEPTH} levels deep", param="request_body")
    required = _REQUIRED[path]
    if not request.get(required):
        raise InvalidRequestError(f"{path}: Missing required parameter: '{required}'.", param=required)
    _check_types(request)
    tags_of(request)
    return request


def _too_deep(raw: bytes, request: dict[str, Any]) -> bool:
    """Whether the request is nested deeper than what we can send on. A body with few brackets needs no closer look."""
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    level: list[Any] = [request]
    for _ in range(MAX_DEPTH):
        level = [
            entry
            for value in level
            for entry in (value.values() if isinstance(value, dict) else value)
            if isinstance(entry, dict | list)
        ]
        if not level:
            return False
    return True


def _check_types(request: dict[str, Any]) -> None:
    messages = request.get("messages")
    if messages is not None and not (
        isinstance(messages, list) and all(isinstance(message, dict) for message in messages)
    ):
        raise InvalidRequestError("messages must be a list of objects", param="messages")
    for name in ("prompt", "input"):
        if not isinstance(request.get(name, ""), str | list):
            raise InvalidRequestError(f"{name} must be a string or a list", param=name)
    if not isinstance(request.get("stream"), bool | None):
        raise InvalidRequestError("stream must be a boolean", param="stream")
    if not isinstance(request.get("stream_options"), dict | None):
        raise InvalidRequestError("stream_options must be an object", param="stream_options")


def customer_of(request: dict[str, Any]) -> str | None:
    """The end user whom the request names (Q-53), as it says it."""
    user = request.get("user")
    return user if isinstance(user, str) and 0 < len(user) <= MAX_CUSTOMER_ID else None


def tags_of(request: dict[str, Any]) -> tuple[str, ...]:
    """The request's own tags (Q-53). Raises InvalidRequestError if they are no short list of short texts."""
    metadata = request.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    if tags is None:
        return ()
    if not isinstance(tags, list) or not all(isinstance(tag, str) and 0 < len(tag) <= MAX_TAG for tag in tags):
        raise InvalidRequestError(f"metadata.tags must be a list of texts of 1 to {MAX_TAG}", param="metadata.tags")
    if len(tags) > MAX_TAGS:
        raise InvalidRequestError(f"metadata.tags may have at most {MAX_TAGS} entries", param="metadata.tags")
    return tuple(tags)


def wants_usage(request: dict[str, Any]) -> bool:
    """Whether the client of a stream asked for the usage chunk."""
    return (request.get("stream_options") or {}).get("include_usage") is True


def outgoing(request: dict[str, Any], send_max_tokens: int | None, *, streamed: bool) -> dict[str, Any]:
    """The request as it goes to a provider: unchanged, but for the output maximum where it must be sent (Q-14)
    and the usage chunk of a stream, which is always asked for.
    """
    sent = dict(request)
    if send_max_tokens is not None:
        # Whichever of the two the provider reads must say it.
        given = [name for name in OUTPUT_LIMITS if request.get(name) is not None]
        sent.update(dict.fromkeys(given or ["max_tokens"], send_max_tokens))
    if tags_of(request):
        # Ours, and no provider takes a list there.
        sent["metadata"] = {name: value for name, value in request["metadata"].items() if name != "tags"}
        if not sent["metadata"]:
            del sent["metadata"]
    if streamed:
        sent["stream_options"] = {**(request.get("stream_options") or {}), "include_usage": True}
    return sent
