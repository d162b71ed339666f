"""Calls of the native API without a network: ``template.yaml``'s routes, API Gateway's events, the real handlers.

answer = call("POST", "/api/teams/create", {"team_id": "acme-dev", ...})
assert answer.status == 200
call("GET", "/api/teams/acme-dev", caller=key(answer.body["virtual_key"]))
"""

from __future__ import annotations

import importlib
import json
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from local.events import Request, proxy_event
from local.functions import new_context
from local.routing import Router
from local.testing import MASTER_KEY
from tests.support.environment import template

REQUEST_ID = "req-1"
SOURCE_IP = "192.0.2.7"
# What the authorizer says about the master key; None stands for a request that it never saw.
MASTER: dict[str, str] = {"kind": "master", "key_id": "", "team_id": "", "organization_id": "", "user_id": ""}
NOBODY: dict[str, str] | None = None

FUNCTIONS = template.functions()
ROUTES = template.routes()
_ROUTER = Router(ROUTES)


@dataclass(frozen=True)
class Answer:
    """An answer as a client gets it; ``headers`` have lower-case names, ``body`` is parsed if it is JSON."""

    status: int
    body: Any
    headers: dict[str, str]
    text: str


def key(virtual_key: str) -> dict[str, str]:
    """What the authorizer says about a virtual key (handlers trust nothing but the id)."""
    from tollgate.auth.credentials import key_id_of

    return MASTER | {"kind": "key", "key_id": key_id_of(virtual_key)}


def event(
    method: str,
    path: str,
    body: Any = None,
    *,
    query: dict[str, Any] | None = None,
    caller: dict[str, str] | None = MASTER,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A REST API proxy event. ``body`` str is sent as it is, anything else as JSON; ``path`` is percent-encoded."""
    route, parameters, _ = _ROUTER.match(method, path)
    raw = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
    request = Request(
        method=method,
        path=path,
        query=urlencode(query or {}, doseq=True),
        headers=[("Content-Type", "application/json"), *(headers or {}).items()],
        source_ip=SOURCE_IP,
        stage=template.stage(),
        body=raw.encode(),
        resource=route.path if route else path,
        parameters=parameters,
        request_id=REQUEST_ID,
    )
    return proxy_event(request, caller)


def call(
    method: str,
    path: str,
    body: Any = None,
    *,
    query: dict[str, Any] | None = None,
    caller: dict[str, str] | None = MASTER,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Runs the handler that the template's route names. LookupError if there is no such route."""
    route, _, _ = _ROUTER.match(method, path)
    if route is None or route.function is None:
        raise LookupError(f"no route for {method} {path}")
    return invoke(route.function, event(method, path, body, query=query, caller=caller, headers=headers))


def invoke(logical_id: str, proxied: dict[str, Any]) -> Answer:
    """Runs a function by its logical id on a given event.

    RuntimeError outside the main thread: the resolver keeps the current request in process-wide state, as a Lambda
    environment serves one at a time. What runs at once are services (``tests.support.races``).
    """
    if threading.current_thread() is not threading.main_thread():
        message = "handlers serve one request at a time: call services where several threads are at work"
        raise RuntimeError(message)
    function = FUNCTIONS[logical_id]
    module, _, symbol = function.handler.rpartition(".")
    raw = getattr(importlib.import_module(module), symbol)(proxied, new_context(function))
    headers = {name.lower(): value for name, value in (raw.get("headers") or {}).items()}
    headers |= {name.lower(): ", ".join(values) for name, values in (raw.get("multiValueHeaders") or {}).items()}
    text = raw.get("body") or ""
    is_json = "json" in headers.get("content-type", "")
    return Answer(raw["statusCode"], json.loads(text) if is_json else text, headers, text)


def problem(status: int, code: str, detail: str, **extra: Any) -> dict[str, Any]:
    """The whole problem document of an expected error."""
    return {
        "type": f"urn:tollgate:error:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": REQUEST_ID,
        **extra,
    }


__all__ = ["MASTER", "MASTER_KEY", "NOBODY", "Answer", "call", "event", "invoke", "key", "problem"]
