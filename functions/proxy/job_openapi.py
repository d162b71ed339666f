"""What ``/openapi.json`` says of calls in jobs: their requests are pydantic models, their errors the native API's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from proxy.job_requests import CallInJob, CreateAndCall
from tollgate.http.openapi import error_reference

_TAG = "jobs"
_REF = "#/components/schemas/{model}"
_JOB_ID = "0199a3f0-6c1e-7b1f-9a57-0f3d2c4b5a69"
_CALL = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Say hello"}],
    "purpose": "greeting",
    "max_tokens": 100,
}
_ANSWER = {
    "call_id": "0199a3f0-7d2f-7c2a-8b68-1a4e3d5c6b70",
    "response": {"role": "assistant", "content": "Hello!", "finish_reason": "stop"},
    "metadata": {"tokens_used": 11, "latency_ms": 412, "model": "gpt-4o-mini", "model_group": "gpt-4o-mini"},
}
_COSTS = {
    "total_calls": 1,
    "successful_calls": 1,
    "failed_calls": 0,
    "total_tokens": 11,
    "total_cost_usd": 0.0000025,
    "avg_latency_ms": 412,
    "credit_applied": True,
    "credits_remaining": 999,
    "provider_cost_usd": None,
    "profit_usd": None,
}
_COMPLETED = {
    "job_id": _JOB_ID,
    "status": "completed",
    "response": _ANSWER["response"],
    "metadata": _ANSWER["metadata"],
    "costs": _COSTS,
    "completed_at": "2026-03-01T12:00:01Z",
}
_STREAM = (
    'data: {"id":"chatcmpl-…","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini",'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":"Hello!"},"finish_reason":null}]}\n\n'
    'data: {"id":"chatcmpl-…","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini",'
    '"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    '"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n'
    "data: [DONE]\n\n: cost=0.0000025 credits=999\n\n"
)
_ERRORS = (400, 401, 403, 404, 409, 413, 422, 429, 500, 503)
_PROVIDER = {"502": "The provider failed, after the fallbacks", "504": "The provider took too long"}
_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_JOB = {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string"}, "example": _JOB_ID}


def _object(required: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": dict(required)}


_STRING = {"type": "string"}
_RESPONSE = _object(
    {"role": _STRING, "content": {"type": ["string", "null"]}, "finish_reason": {"type": ["string", "null"]}}
)
_METADATA = _object(
    {"tokens_used": {"type": "integer"}, "latency_ms": {"type": "integer"}, "model": _STRING, "model_group": _STRING}
)
_SCHEMAS: Mapping[str, Any] = {
    "CallInJobAnswer": _object({"call_id": _STRING, "response": _RESPONSE, "metadata": _METADATA}),
    "CreateAndCallAnswer": _object(
        {
            "job_id": _STRING,
            "status": _STRING,
            "response": _RESPONSE,
            "metadata": _METADATA,
            "costs": {"type": ["object", "null"]},
            "completed_at": {"type": ["string", "null"]},
        }
    ),
}


def _operation(
    name: str, summary: str, request: str, example: Any, answer: dict[str, Any], **more: Any
) -> dict[str, Any]:
    errors: dict[str, Any] = {str(status): error_reference(status) for status in _ERRORS}
    errors |= {status: {"description": told, "content": _PROBLEM} for status, told in _PROVIDER.items()}
    body = {"application/json": {"schema": {"$ref": _REF.format(model=request)}, "example": example}}
    return {
        "operationId": name,
        "summary": summary,
        "tags": [_TAG],
        "security": [{"bearer": []}, {"adminKey": []}],
        "requestBody": {"required": True, "content": body},
        "responses": {"200": answer, **errors},
        **more,
    }


def _whole(schema: str, example: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REF.format(model=schema)}, "example": example}}
    return {"description": "The answer, paid for", "content": content}


_EVENTS = {
    "description": "Server-sent events; the last one has the usage",
    "content": {"text/event-stream": {"schema": _STRING, "example": _STREAM}},
}
_WHOLE_JOB = {"team_id": "acme-dev", "job_type": "greeting", **_CALL}


def spec() -> dict[str, Any]:
    """``paths`` and ``components`` of the four routes."""
    _, schemas = models_json_schema([(CallInJob, "validation"), (CreateAndCall, "validation")], ref_template=_REF)
    in_job: dict[str, Any] = {"parameters": [_JOB]}
    paths = {
        "/api/jobs/{job_id}/llm-call": _operation(
            "call_in_job", "A call in a job", "CallInJob", _CALL, _whole("CallInJobAnswer", _ANSWER), **in_job
        ),
        "/api/jobs/{job_id}/llm-call-stream": _operation(
            "stream_in_job",
            "A streamed call in a job, which it does not complete",
            "CallInJob",
            _CALL,
            _EVENTS,
            **in_job,
        ),
        "/api/jobs/create-and-call": _operation(
            "create_and_call",
            "A job of one call, completed and charged",
            "CreateAndCall",
            _WHOLE_JOB,
            _whole("CreateAndCallAnswer", _COMPLETED),
        ),
        "/api/jobs/create-and-call-stream": _operation(
            "create_and_stream", "The same, streamed; the job ends with it", "CreateAndCall", _WHOLE_JOB, _EVENTS
        ),
    }
    return {
        "paths": {path: {"post": operation} for path, operation in paths.items()},
        "components": {"schemas": {**schemas["$defs"], **_SCHEMAS}},
    }
