"""One OpenAPI document out of the endpoints' own: their models and routes, with what all of them share said once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from tollgate.auth.policy import GRANTS
from tollgate.core import money
from tollgate.core.pagination import MAX_LIMIT, MAX_OFFSET
from tollgate.http import problems
from tollgate.http.api import MAX_BODY_BYTES, AdminApi
from tollgate.http.conditions import MAX_KEY_LENGTH
from tollgate.http.openapi_examples import EXAMPLES

TITLE = "Tollgate"
VERSION = "1"
_DESCRIPTION = (
    "Multi-tenant LLM gateway. `/api` manages organizations, teams, keys, credits, models and provider credentials; "
    "`/v1` speaks OpenAI's API. Errors of `/api` are problem documents (RFC 9457)."
)
# Schemas of Powertools' own error answers, which nobody gets to see here.
_FOREIGN_SCHEMAS = {"HTTPValidationError", "ValidationError", "ResponseValidationError"}
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "the master key, or a virtual key `sk-…`"},
    "adminKey": {"type": "apiKey", "in": "header", "name": "X-Admin-Key", "description": "the master key"},
}
_PAGING = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    "cursor": {"type": "string", "maxLength": 2048},
    "offset": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET},
}
# What every operation may answer, each with an example of its detail.
_ERRORS = {
    HTTPStatus.BAD_REQUEST: ("alias_exists", "Alias already exists: 'fast'"),
    HTTPStatus.UNAUTHORIZED: ("invalid_api_key", "Invalid or missing API key"),
    HTTPStatus.FORBIDDEN: ("forbidden", "This credential may not use this endpoint"),
    HTTPStatus.NOT_FOUND: ("not_found", "Team 'acme-dev' not found"),
    HTTPStatus.CONFLICT: ("conflict", "The resource was changed by another request at the same time; try again"),
    HTTPStatus.PRECONDITION_FAILED: (
        "precondition_failed",
        "The resource is not the version that If-Match names; read it again",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "request_too_large",
        f"The request body may have at most {MAX_BODY_BYTES} bytes",
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("invalid_request", "name: Field required"),
    HTTPStatus.TOO_MANY_REQUESTS: ("rate_limited", "Rate limit exceeded"),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("internal_error", "Internal server error"),
    HTTPStatus.SERVICE_UNAVAILABLE: ("store_unavailable", "The data store is busy; try again"),
}
_CONDITIONAL = {"put", "patch", "delete"}
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "the version of what is answered"}}
_KEY_OF_ONCE = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
    "description": (
        "the same key and body within 24 hours get the same answer, and nothing is done twice; "
        "of keys and secrets only the mask is shown again"
    ),
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 1024},
    "description": "the ETag that was read; 412 if the resource has changed since",
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 1024},
    "description": "the ETag that is known; 304 if the answer would be the same",
}
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457; `code` is stable, `detail` is for people. Further members belong to the code.",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:tollgate:error:not_found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "instance": {"type": "string", "description": "the request's id"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


_LITELLM_ERROR = {
    "title": "LiteLlmError",
    "description": "One of LiteLLM's shapes, by the endpoint",
    "anyOf": [
        {"type": "object", "required": ["error"], "properties": {"error": {"type": "object"}}},
        {"type": "object", "required": ["detail"], "properties": {"detail": {}}},
    ],
}


def merged(apps: Iterable[AdminApi], other: Mapping[str, Any], server: str) -> dict[str, Any]:
    """The document of all endpoints.

    ``other`` has ``paths`` and ``components`` of routes that are no admin endpoints, taken as they are; ``server`` is
    the path under which the API's root is reached. Raises ValueError if two schemas of one name differ.
    """
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": _PROBLEM, "LiteLlmError": _LITELLM_ERROR}
    taken: set[str] = set()
    for app in apps:
        own = _own_document(app)
        _add_schemas(schemas, own.get("components", {}).get("schemas", {}))
        for path, item in own.get("paths", {}).items():
            for method, operation in item.items():
                paths.setdefault(path, {})[method] = _finished(operation, path, app, taken)
                if app.action:
                    _add_conditions(paths[path][method], method, app)
    for path, item in other.get("paths", {}).items():
        paths.setdefault(path, {}).update(item)
    _add_schemas(schemas, other.get("components", {}).get("schemas", {}))
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": server or "/"}],
        "tags": [{"name": tag} for tag in _tags(paths)],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": _SECURITY_SCHEMES,
            "responses": _error_responses(),
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _own_document(app: AdminApi) -> dict[str, Any]:
    """An endpoint's own; a dialect's schemas have its name before theirs, because two surfaces call things the same."""
    text = app.get_openapi_json_schema(title=TITLE, version=VERSION)
    if not app.dialect:
        own: dict[str, Any] = json.loads(text)
        return own
    own = json.loads(text.replace("#/components/schemas/", f"#/components/schemas/{app.dialect}"))
    schemas = own.get("components", {}).get("schemas", {})
    own["components"] = {"schemas": {f"{app.dialect}{name}": schema for name, schema in schemas.items()}}
    return own


def _finished(operation: dict[str, Any], path: str, app: AdminApi, taken: set[str]) -> dict[str, Any]:
    """An endpoint's operation with what all of them share."""
    action = app.action
    name = app.dialect.lower() + _operation_id(operation["operationId"], path)
    if name in taken:
        name = operation["operationId"]
    taken.add(name)
    answers = {code: answer for code, answer in operation["responses"].items() if int(code) < HTTPStatus.BAD_REQUEST}
    errors = {
        str(int(status)): error_reference(status, app.dialect)
        for status in _ERRORS
        if status is not HTTPStatus.PRECONDITION_FAILED
    }
    finished = operation | {"operationId": name, "responses": answers | errors}
    finished["security"] = [{scheme: []} for scheme in _SECURITY_SCHEMES] if action else []
    if action:
        roles = ", ".join(sorted(GRANTS[action]))
        finished["description"] = f"{operation.get('description') or ''}\n\nRoles: {roles}".strip()
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and parameter["name"] in _PAGING:
            parameter["schema"] = parameter["schema"] | _PAGING[parameter["name"]]
    if name in EXAMPLES:
        finished["requestBody"]["content"]["application/json"]["example"] = EXAMPLES[name]
    return finished


def _add_conditions(operation: dict[str, Any], method: str, app: AdminApi) -> None:
    """The headers by which a request depends on what its sender knows, or may be sent again."""
    parameters = [one for one in operation.get("parameters", ()) if one["name"] != _KEY_OF_ONCE["name"]]
    answers = operation["responses"]
    if method == "post":
        parameters.append(_KEY_OF_ONCE)
    elif method == "get":
        parameters.append(_IF_NONE_MATCH)
        for code in [code for code in answers if int(code) < HTTPStatus.MULTIPLE_CHOICES]:
            answers[code] = answers[code] | {"headers": answers[code].get("headers", {}) | _ETAG}
        answers["304"] = {"description": "Not Modified", "headers": _ETAG}
    elif method in _CONDITIONAL:
        parameters.append(_IF_MATCH)
        answers["412"] = error_reference(HTTPStatus.PRECONDITION_FAILED, app.dialect)
    operation["parameters"] = parameters


def _operation_id(generated: str, path: str) -> str:
    """The handler's own name: Powertools appends path and method to it."""
    return generated.partition("".join(character if character.isalnum() else "_" for character in path))[0].rstrip("_")


def _add_schemas(schemas: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, schema in more.items():
        if name in _FOREIGN_SCHEMAS:
            continue
        plain = _with_numbers(schema)
        if schemas.setdefault(name, plain) != plain:
            message = f"two schemas are named {name}"
            raise ValueError(message)


def _with_numbers(schema: Any) -> Any:
    """The schema with defaults of numbers as numbers; pydantic writes those of decimals as text."""
    if isinstance(schema, list):
        return [_with_numbers(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _with_numbers(entry) for name, entry in schema.items()}
    if plain.get("type") == "number" and isinstance(plain.get("default"), str):
        plain["default"] = money.to_json(Decimal(plain["default"]))
    return plain


def _tags(paths: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted({tag for item in paths.values() for operation in item.values() for tag in operation.get("tags", ())})


def error_reference(status: int, dialect: str = "") -> dict[str, str]:
    """What an operation answers with a status that all of its surface share; by number, because names change."""
    return {"$ref": f"#/components/responses/{dialect or 'Problem'}{int(status)}"}


def _error_responses() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/LiteLlmError"}}}
    responses = {f"Problem{int(status)}": _error_response(status) for status in _ERRORS}
    return responses | {
        f"LiteLlm{int(status)}": {"description": status.phrase, "content": content} for status in _ERRORS
    }


def _error_response(status: HTTPStatus) -> dict[str, Any]:
    code, detail = _ERRORS[status]
    example = {
        "type": f"urn:tollgate:error:{code}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
        "instance": "6f0f9f0e-2f4c-4b37-9d4b-0d3c5a6f6a10",
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": status.phrase, "content": {problems.CONTENT_TYPE: content}}
