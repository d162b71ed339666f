"""The answers API Gateway gives by itself: their defaults, and the template's changes to them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.template import GatewayResponse

_INTERNAL = "Internal server error"
_DEFAULTS: dict[str, tuple[int, str | None, str]] = {
    "ACCESS_DENIED": (403, "User is not authorized to access this resource", "AccessDenied"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, None, "AuthorizerConfiguration"),
    "AUTHORIZER_FAILURE": (500, None, "AuthorizerFailure"),
    "DEFAULT_5XX": (502, _INTERNAL, "InternalServerError"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out", "InternalServerError"),
    "MISSING_AUTHENTICATION_TOKEN": (
        403,
        "Missing Authentication Token",
        "MissingAuthenticationToken",
    ),
    "REQUEST_TOO_LARGE": (413, "Request Too Long", "RequestTooLarge"),
    "UNAUTHORIZED": (401, "Unauthorized", "Unauthorized"),
}
_VARIABLE = re.compile(r"\$(?:\{context\.([\w.]+)\}|context\.(\w+(?:\.\w+)*))")
_JSON_TYPE = "application/json"
_DEFAULT_TEMPLATE = '{"message":$context.error.messageString}'


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class GatewayError(Exception):
    """API Gateway answers by itself, with the gateway response of type `kind`.

    `message` replaces the type's own text; `authorizer` is the denied caller's context.
    """

    def __init__(
        self,
        kind: str,
        message: str | None = None,
        authorizer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.message = message
        self.authorizer = dict(authorizer or {})


class GatewayResponses:
    """Renders gateway responses as the template declares them."""

    def __init__(self, declared: Mapping[str, GatewayResponse]) -> None:
        self._declared = declared

    def render(self, error: GatewayError, context: Mapping[str, Any]) -> Answer:
        """The answer for `error`; `context` is the request's `requestContext`."""
        default_status, default_message, error_type = _DEFAULTS[error.kind]
        own = self._declared.get(error.kind, GatewayResponse())
        family = "DEFAULT_5XX" if default_status >= 500 else "DEFAULT_4XX"
        shared = self._declared.get(family, GatewayResponse())
        message = error.message or default_message
        variables = {
            **context,
            "error": {
                "message": message or "",
                "messageString": json.dumps(message),
                "responseType": error.kind,
            },
            "authorizer": error.authorizer,
        }
        templates = own.templates or shared.templates or {_JSON_TYPE: _DEFAULT_TEMPLATE}
        content_type = _JSON_TYPE if _JSON_TYPE in templates else next(iter(templates))
        headers = [("content-type", content_type), ("x-amzn-ErrorType", f"{error_type}Exception")]
        for name, value in (own.headers or shared.headers).items():
            headers.append((name, _header_value(value, variables)))
        return Answer(
            status=own.status or shared.status or default_status,
            headers=headers,
            body=_substitute(templates[content_type], variables).encode(),
        )


def _substitute(template: str, variables: Mapping[str, Any]) -> str:
    return _VARIABLE.sub(lambda match: _look_up(match[1] or match[2], variables), template)


def _header_value(value: str, variables: Mapping[str, Any]) -> str:
    """A quoted literal, or a `context.…` expression."""
    if value.startswith("'"):
        return value[1:-1]
    return _look_up(value.removeprefix("context."), variables)


def _look_up(path: str, variables: Mapping[str, Any]) -> str:
    """The variable's value; as in API Gateway an unknown one is the empty string."""
    node: Any = variables
    for part in path.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return "" if node is None else str(node)
