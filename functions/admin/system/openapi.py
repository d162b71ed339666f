"""GET /openapi.json: the OpenAPI document of every endpoint, made once per process. Open to everyone."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

import admin
from tollgate.core import json
from tollgate.http import openapi
from tollgate.http.api import AdminApi, admin_api

app = admin_api(None)


@app.get("/openapi.json", include_in_schema=False)
def openapi_document() -> Response[str]:
    event = app.current_event
    # API Gateway's context has the path as the client sent it: with the stage, or a domain's base path, in front.
    server = event.request_context.path.removesuffix(event.path)
    return Response(status_code=HTTPStatus.OK, content_type="application/json", body=_document(server))


@cache
def _document(server: str) -> str:
    return json.dumps(document(server))


def document(server: str) -> dict[str, Any]:
    """The document, for a root that is reached under the path ``server``."""
    return openapi.merged(_apps(), _proxy_spec(), server)


def _apps() -> Iterator[AdminApi]:
    # By name: one surface does not import another.
    for package in (admin, importlib.import_module("litellm")):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.ispkg:
                yield importlib.import_module(module.name).app


def _proxy_spec() -> Mapping[str, Any]:
    """The routes of the data plane, which is no Powertools app."""
    if importlib.util.find_spec("proxy.openapi") is None:
        return {}
    spec: Mapping[str, Any] = importlib.import_module("proxy.openapi").spec()
    return spec


handler = app.resolve
