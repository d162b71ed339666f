"""Lambda proxy events (payload version 1.0) and what a function's answer becomes.

As REST APIs have it, `path` and `pathParameters` are as the client sent them, percent-encoded
(Q-02: handlers decode once), while query parameters are decoded.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from local.intrinsics import ACCOUNT_ID, REGION
from local.responses import Answer, GatewayError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

API_ID = "localapi00"
MAX_PAYLOAD = 6 * 1024 * 1024
_RESPONSE_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}


@dataclass
class Request:
    """One HTTP request to the API, and the route it took (empty until matched)."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    source_ip: str
    stage: str
    body: bytes = b""
    resource: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.time)

    def header(self, name: str) -> str | None:
        """The last value of a header, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return values[-1] if values else None

    @property
    def method_arn(self) -> str:
        """What an authorizer's policy is about."""
        api = f"arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{API_ID}"
        return f"{api}/{self.stage}/{self.method}{self.path}"


def request_context(request: Request) -> dict[str, Any]:
    """The event's `requestContext`, without an authorizer's part."""
    started = datetime.fromtimestamp(request.started, UTC)
    host = request.header("Host") or ""
    return {
        "accountId": ACCOUNT_ID,
        "apiId": API_ID,
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "extendedRequestId": request.request_id[:16],
        "httpMethod": request.method,
        "identity": {
            "accessKey": None,
            "accountId": None,
            "apiKey": None,
            "caller": None,
            "cognitoIdentityId": None,
            "cognitoIdentityPoolId": None,
            "sourceIp": request.source_ip,
            "user": None,
            "userAgent": request.header("User-Agent"),
            "userArn": None,
        },
        "path": request.path,
        "protocol": "HTTP/1.1",
        "requestId": request.request_id,
        "requestTime": started.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(request.started * 1000),
        "resourceId": request.resource.strip("/") or "/",
        "resourcePath": request.resource,
        "stage": request.stage,
    }


def _request_part(request: Request) -> dict[str, Any]:
    query = parse_qsl(request.query, keep_blank_values=True)
    return {
        "resource": request.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": dict(request.headers) or None,
        "multiValueHeaders": _multi(request.headers) or None,
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _multi(query) or None,
        "pathParameters": request.parameters or None,
        "stageVariables": None,
    }


def authorizer_event(request: Request) -> dict[str, Any]:
    """The REQUEST event of a Lambda authorizer."""
    return {
        "type": "REQUEST",
        "methodArn": request.method_arn,
        **_request_part(request),
        "requestContext": request_context(request),
    }


def proxy_event(request: Request, authorizer: Mapping[str, Any] | None) -> dict[str, Any]:
    """The event of a Lambda proxy integration."""
    context = request_context(request)
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    body, encoded = _body_text(request.body)
    return {
        **_request_part(request),
        "requestContext": context,
        "body": body,
        "isBase64Encoded": encoded,
    }


def check_payload(event: Mapping[str, Any]) -> None:
    """Raise GatewayError (413) for an event of more than Lambda's 6 MB of JSON."""
    # A character of the body takes at most six bytes of JSON.
    if len(event["body"] or "") > MAX_PAYLOAD // 6:
        size = len(json.dumps(event, ensure_ascii=False).encode())
        if size > MAX_PAYLOAD:
            raise GatewayError("REQUEST_TOO_LARGE")


def _body_text(body: bytes) -> tuple[str | None, bool]:
    if not body:
        return None, False
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


def _multi(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    collected: dict[str, list[str]] = {}
    for name, value in pairs:
        collected.setdefault(name, []).append(value)
    return collected


def answer_of(response: object) -> Answer:
    """The HTTP answer a function's result stands for; a malformed one raises GatewayError (502)."""
    malformed = GatewayError("DEFAULT_5XX")
    if not isinstance(response, dict) or not response.keys() <= _RESPONSE_KEYS:
        raise malformed
    body = response.get("body") or ""
    try:
        status = int(response["statusCode"])
        encoded = bool(response.get("isBase64Encoded"))
        content = base64.b64decode(body, validate=True) if encoded else body.encode()
        headers = _answer_headers(response)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise malformed from error
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    return Answer(status, headers, content)


def _answer_headers(response: Mapping[str, Any]) -> list[tuple[str, str]]:
    multi = response.get("multiValueHeaders") or {}
    listed = {name.lower() for name in multi}
    single = (response.get("headers") or {}).items()
    headers = [(name, _text(value)) for name, value in single if name.lower() not in listed]
    headers += [(name, _text(value)) for name, values in multi.items() for value in values]
    return headers


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
