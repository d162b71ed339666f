"""What ``/openapi.json`` says of exports, whose errors are the native API's."""

from __future__ import annotations

from typing import Any

from tollgate.http.openapi import error_reference

_ROW = (
    "date,team_id,model,provider,job_type,calls,failed_calls,input_tokens,cached_tokens,output_tokens,reasoning_tokens,"
    "cost_usd,provider_cost_usd,credits_used,jobs,successful_jobs,failed_jobs,cancelled_jobs,unbilled_cost_usd\r\n"
    "2026-03-01,acme-dev,fast,openai,,2,0,25,0,10,0,0.0005,0.0004,0.0005,0,0,0,0,0\r\n"
)
_PERIOD = {
    "name": "period",
    "in": "query",
    "required": True,
    "description": "a month `YYYY-MM`, a day `YYYY-MM-DD`, or `all`",
    "schema": {"type": "string", "pattern": "^(all|[0-9]{4}-[0-9]{2}(-[0-9]{2})?)$"},
    "example": "2026-03",
}
_FORMAT = {
    "name": "format",
    "in": "query",
    "schema": {"type": "string", "enum": ["csv", "json"], "default": "csv"},
}
_ERRORS = (401, 403, 404, 422, 500, 503)


def _export(kind: str) -> dict[str, Any]:
    owner = {"name": f"{kind}_id", "in": "path", "required": True, "schema": {"type": "string"}}
    rows = {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "object"}}}}
    content = {
        "text/csv": {"schema": {"type": "string"}, "example": _ROW},
        "application/json": {"schema": {**rows, "required": ["rows"]}},
    }
    return {
        "operationId": f"export_{kind}_usage",
        "summary": f"Export the usage of {'an' if kind == 'organization' else 'a'} {kind}, as much as there is",
        "tags": ["Usage"],
        "security": [{"bearer": []}, {"adminKey": []}],
        "parameters": [owner, _PERIOD, _FORMAT],
        "responses": {
            "200": {"description": "A row by day, team, model, provider and job type", "content": content},
            **{str(status): error_reference(status) for status in _ERRORS},
        },
    }


def paths() -> dict[str, Any]:
    """The two routes."""
    return {f"/api/{kind}s/{{{kind}_id}}/usage/export": {"get": _export(kind)} for kind in ("organization", "team")}
