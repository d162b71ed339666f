"""What ``/openapi.json`` says of ``/v1``: the data plane is no Powertools app, so its document is data.

The requests and answers are OpenAI's; here stands what Tollgate itself looks at. Members that are not named pass
through to the provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy import export_openapi, health_openapi, job_openapi
from tollgate.metering.bounds import MAX_CHOICES

_TAG = "data plane"
_MODEL = "gpt-4o-mini"
_CALL_ID = "0199a3f0-6c1e-7b1f-9a57-0f3d2c4b5a69"
_MESSAGES = [{"role": "user", "content": "Say hello"}]
_USAGE_EXAMPLE = {
    "prompt_tokens": 9,
    "completion_tokens": 2,
    "total_tokens": 11,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
_EXAMPLES: Mapping[str, Any] = {
    "chat": {"model": _MODEL, "messages": _MESSAGES, "max_tokens": 100},
    "chat_answer": {
        "id": f"chatcmpl-{_CALL_ID}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": _MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
        "usage": _USAGE_EXAMPLE,
    },
    "completion": {"model": _MODEL, "prompt": "Say hello", "max_tokens": 100},
    "completion_answer": {
        "id": f"chatcmpl-{_CALL_ID}",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": _MODEL,
        "choices": [{"index": 0, "text": "Hello!", "finish_reason": "stop"}],
        "usage": _USAGE_EXAMPLE,
    },
    "embedding": {"model": "text-embedding-3-small", "input": ["a text", "another"]},
    "embedding_answer": {
        "id": f"chatcmpl-{_CALL_ID}",
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.0023, -0.0091]}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    },
    "model": {"id": _MODEL, "object": "model", "created": 1_677_610_602, "owned_by": "openai"},
}
_STREAM_EXAMPLE = (
    'data: {"id":"chatcmpl-…","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini",'
    '"choices":[{"index":0,"delta":{"content":"Hello!"},"finish_reason":null}]}\n\n'
    "data: [DONE]\n\n: cost=0.00000255 credits=999.99999745\n\n"
)
# Status: what it means, the error's type, its message.
_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("The request makes no sense", "invalid_request_error", "n must be a positive integer"),
    401: ("No or unknown credential; expired or blocked", "auth_error", "Authentication Error, No api key passed in."),
    403: (
        "Suspended, paused, model denied, credits short",
        "team_model_access_denied",
        (
            "The requested model 'gpt-4o' is not available for this API key, or the model name is invalid. "
            "Check the models available to you and try again."
        ),
    ),
    404: ("No such model", "not_found_error", "The model `nope` does not exist or is not accessible"),
    413: ("Body over 5 MB", "request_too_large", "The request body may have at most 5242880 bytes"),
    429: (
        "Credits are held by calls in flight, or the provider is busy",
        "reserved",
        "Credits are reserved by calls in flight; try again in a moment",
    ),
    502: ("The provider failed, after the fallbacks", "provider_unavailable", "The provider failed with status 500"),
    503: ("The data store is busy", "store_unavailable", "The data store did not answer; try again"),
    504: ("The provider took too long", "provider_timeout", "The provider did not answer in time"),
}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _error(status: int) -> dict[str, Any]:
    description, kind, message = _ERRORS[status]
    example = {"error": {"message": message, "type": kind, "param": None, "code": str(status)}}
    answer: dict[str, Any] = {
        "description": description,
        "headers": {"x-request-id": {"schema": {"type": "string"}}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAiError"}, "example": example}},
    }
    if status in {429, 503}:
        answer["headers"]["retry-after"] = {
            "description": "seconds, or the provider's own",
            "schema": {"type": "string"},
        }
    return answer


def _operation(name: str, summary: str, answers: dict[str, Any], *statuses: int, **more: Any) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "tags": [_TAG],
        "security": [{"bearer": []}],
        "responses": answers | {str(status): _error(status) for status in statuses},
        **more,
    }


def _json(schema: str, example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}}


def _call(name: str, summary: str, schema: str, example: str, *, streams: bool) -> dict[str, Any]:
    """A ``POST`` that makes a call."""
    content = _json(f"{schema}Answer", _EXAMPLES[f"{example}_answer"])
    if streams:
        content["text/event-stream"] = {"schema": {"type": "string"}, "example": _STREAM_EXAMPLE}
    answer = {
        "description": "The provider's answer; its headers say what it cost",
        "headers": _HEADERS,
        "content": content,
    }
    body = {"required": True, "content": _json(f"{schema}Request", _EXAMPLES[example])}
    return _operation(name, summary, {"200": answer}, *_ERRORS, requestBody=body)


_HEADERS: Mapping[str, Any] = {
    "x-request-id": {"description": "the call's id", "schema": {"type": "string"}},
    "x-tollgate-cost-usd": {"description": "not on streams, whose last comment says it", "schema": {"type": "string"}},
    "x-tollgate-credits-remaining": {"description": "likewise; absent if nobody pays", "schema": {"type": "string"}},
    "x-tollgate-max-tokens": {
        "description": "the output maximum that was sent because the credits carry no more",
        "schema": {"type": "string"},
    },
}
_MODEL_NAME = {**_text("an alias; `GET /v1/models` lists those of your key"), "minLength": 1}
_LIMIT = {"type": ["integer", "null"], "minimum": 1, "maximum": 10**9, "description": "most output tokens of an answer"}
_COUNT = {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_CHOICES, "description": "answers to each prompt"}
_STREAMING: Mapping[str, Any] = {
    "stream": {"type": ["boolean", "null"], "description": "server-sent events, as they come"},
    "stream_options": {
        "type": ["object", "null"],
        "properties": {"include_usage": {"type": "boolean", "description": "a last chunk with the usage"}},
    },
    "max_tokens": _LIMIT,
    "max_completion_tokens": _LIMIT,
    "n": _COUNT,
}
_TOKENS = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
_TEXTS: list[dict[str, Any]] = [
    {"type": "string", "minLength": 1},
    {"type": "array", "items": {"type": "string"}, "minItems": 1},
    _TOKENS,
    {"type": "array", "items": _TOKENS, "minItems": 1},
]
_USAGE = {
    "type": "object",
    "required": ["prompt_tokens", "total_tokens"],
    "properties": {name: {"type": "integer"} for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
}


def _request(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "Further members pass through to the provider",
        "required": ["model", required],
        "properties": {"model": _MODEL_NAME, **properties},
    }


def _answer(items: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["id", "object", "model", items, "usage"],
        "properties": {
            "id": _text("`chatcmpl-` and the call's id"),
            "object": {"type": "string"},
            "created": {"type": "integer"},
            "model": _text("the alias that was asked for"),
            items: {"type": "array", "items": {"type": "object"}},
            "usage": _USAGE,
        },
    }


_MESSAGE = {"type": "object", "required": ["role"], "properties": {"role": {"type": "string"}}}
_SCHEMAS: Mapping[str, Any] = {
    "OpenAiError": {
        "type": "object",
        "description": "OpenAI's shape; `type` is stable, `code` the status. Further members belong to the type.",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                },
            }
        },
    },
    "ChatCompletionRequest": _request(
        "messages", messages={"type": "array", "items": _MESSAGE, "minItems": 1}, **_STREAMING
    ),
    "ChatCompletionAnswer": _answer("choices"),
    "CompletionRequest": _request("prompt", prompt={"anyOf": _TEXTS}, best_of=_COUNT, **_STREAMING),
    "CompletionAnswer": _answer("choices"),
    "EmbeddingRequest": _request("input", input={"anyOf": _TEXTS}),
    "EmbeddingAnswer": _answer("data"),
    "Model": {
        "type": "object",
        "required": ["id", "object", "created", "owned_by"],
        "properties": {
            "id": {"type": "string"},
            "object": {"const": "model"},
            "created": {"type": "integer"},
            "owned_by": {"type": "string"},
        },
    },
    "ModelList": {
        "type": "object",
        "required": ["object", "data"],
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
        },
    },
}
_ID = {"name": "model", "in": "path", "required": True, "schema": _MODEL_NAME, "example": _MODEL}
# Reading a list calls no provider.
_READ = (401, 403, 503)

SPEC: Mapping[str, Any] = {
    "paths": {
        "/v1/chat/completions": {
            "post": _call("create_chat_completion", "A chat completion", "ChatCompletion", "chat", streams=True)
        },
        "/v1/completions": {
            "post": _call("create_completion", "A text completion", "Completion", "completion", streams=True)
        },
        "/v1/embeddings": {
            "post": _call("create_embedding", "Embeddings of texts", "Embedding", "embedding", streams=False)
        },
        "/v1/models": {
            "get": _operation(
                "list_data_plane_models",
                "The models of this key",
                {
                    "200": {
                        "description": "Sorted by name",
                        "content": _json("ModelList", {"object": "list", "data": [_EXAMPLES["model"]]}),
                    }
                },
                *_READ,
            )
        },
        "/v1/models/{model}": {
            "get": _operation(
                "get_data_plane_model",
                "One model of this key",
                {"200": {"description": "The model", "content": _json("Model", _EXAMPLES["model"])}},
                404,
                *_READ,
                parameters=[_ID],
            )
        },
    },
    "components": {"schemas": _SCHEMAS},
}


def spec() -> dict[str, Any]:
    """All routes of the data plane: ``/v1``, the calls in jobs, exports, and health."""
    jobs = job_openapi.spec()
    schemas = {**SPEC["components"]["schemas"], **jobs["components"]["schemas"]}
    paths = {**SPEC["paths"], **jobs["paths"], **export_openapi.paths(), **health_openapi.paths()}
    return {"paths": paths, "components": {"schemas": schemas}}
