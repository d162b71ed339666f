"""What ``/openapi.json`` says of ``GET /health``, which is the native API's and the dialect's in one."""

from __future__ import annotations

from typing import Any

from proxy.health import HERE
from tollgate.http.openapi import error_reference

_EXAMPLE = HERE | {
    "healthy_endpoints": [{"model": "openai/gpt-4o", "model_name": "smart", "model_id": "01JB9Q0000000000000000TARG"}],
    "unhealthy_endpoints": [],
    "healthy_count": 1,
    "unhealthy_count": 0,
}


def _asked(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


def paths() -> dict[str, Any]:
    schema = {"type": "object", "required": ["status", "service"], "properties": {"status": {"const": "healthy"}}}
    content = {"application/json": {"schema": schema, "example": _EXAMPLE}}
    get = {
        "operationId": "health",
        "summary": "Health; with an administrator's key each model is asked for one token",
        "tags": ["System"],
        "security": [{}, {"bearer": []}, {"adminKey": []}],
        "parameters": [
            _asked("model", "only this one; 503 if it is not healthy"),
            _asked("model_id", "the same by id"),
        ],
        "responses": {
            "200": {"description": "The API is there", "content": content},
            "401": error_reference(401, "LiteLlm"),
            "503": {"description": "Of the models that were asked for none is healthy", "content": content},
        },
    }
    return {"/health": {"get": get}}
