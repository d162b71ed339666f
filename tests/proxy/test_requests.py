"""Requests that make no sense: a clear 4xx each, never a 5xx, nothing reserved, nothing sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.requests import MAX_BODY_BYTES
from tests.proxy.plane import MODEL, Plane, error, question
from tests.support.upstream import answer, usage


def _deep(levels: int) -> str:
    """A chat request, nested so deep in all."""
    return (
        '{"model":"fast","messages":[{"role":"user","content":"x"}],"more":'
        + "[" * (levels - 1)
        + "]" * (levels - 1)
        + "}"
    )


def _nothing_happened(plane: Plane) -> None:
    found = plane.books()
    assert (found.holds, found.records, plane.provider.calls) == ({}, [], [])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"not json", b"[]", b'"x"', b"null", b"5", b"NaN", b'{"model": NaN}', b'{"a": Infinity}',
        b'{"model": "\\ud800"}', b'{"model": "\xff"}', b"{'model': 'x'}", b'{"model":"fast"}{}',
        b"[" * 100_000, b'{"a":' * 100_000, _deep(201).encode(), _deep(255).encode(), _deep(1000).encode(),
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_a_body_that_is_no_request(plane: Plane, team: dict[str, Any], body: bytes) -> None:
    response = plane.post("/chat/completions", body)
    told = response.json()["error"]
    assert (response.status_code, told["type"], told["code"]) == (400, "invalid_request_error", "400")
    assert told["param"] == "request_body"
    assert response.headers["x-request-id"]
    _nothing_happened(plane)


def test_nested_as_deep_as_allowed(plane: Plane, team: dict[str, Any]) -> None:
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    assert plane.post("/chat/completions", _deep(200)).status_code == 200
    wide = question(metadata=[{"a": []} for _ in range(500)])
    assert plane.post("/chat/completions", wide).status_code == 200
    assert plane.provider.last.body["metadata"] == wide["metadata"]


@pytest.mark.parametrize("path", ["/chat/completions", "/completions", "/embeddings"])
def test_what_every_route_needs(plane: Plane, team: dict[str, Any], path: str) -> None:
    needed = {"/chat/completions": "messages", "/completions": "prompt", "/embeddings": "input"}[path]
    for body in ({"model": "fast"}, {"model": "fast", needed: None}, {"model": "fast", needed: []}):
        response = plane.post(path, body)
        expected = error(400, "invalid_request_error", f"{path}: Missing required parameter: '{needed}'.", param=needed)
        assert (response.status_code, response.json()) == (400, expected)
    _nothing_happened(plane)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": "x"}, "messages"),
        ({"messages": {"role": "user"}}, "messages"),
        ({"messages": [5]}, "messages"),
        ({"messages": [None]}, "messages"),
        ({"prompt": 5}, "prompt"),
        ({"input": {"a": 1}}, "input"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": []}, "stream_options"),
        *(
            ({name: value}, name)
            for name in ("max_tokens", "max_completion_tokens", "n", "best_of")
            for value in (-1, 0, "7", True, 1.5, [], {}, 10**10, 10**30)
        ),
        ({"n": 10**6}, "n"),
        ({"n": 129}, "n"),
        ({"max_completion_tokens": 5, "max_tokens": -1}, "max_tokens"),
    ],
    ids=str,
)
def test_wrong_types_are_named(plane: Plane, team: dict[str, Any], fields: dict[str, Any], param: str) -> None:
    response = plane.post("/chat/completions", json.dumps(question() | fields))
    told = response.json()["error"]
    assert (response.status_code, told["type"], told["param"]) == (400, "invalid_request_error", param)
    assert param in told["message"]
    _nothing_happened(plane)


def test_a_body_over_5_mb(plane: Plane, team: dict[str, Any]) -> None:
    expected = error(413, "request_too_large", f"The request body may have at most {MAX_BODY_BYTES} bytes")
    announced = plane.post("/chat/completions", b"x" * (MAX_BODY_BYTES + 1), connection="close")
    assert (announced.status_code, announced.json()) == (413, expected)
    chunked = plane.client.post(
        "/v1/chat/completions",
        content=(b"x" * 1024 * 1024 for _ in range(6)),
        headers=plane.headers(connection="close"),
    )
    assert (chunked.status_code, chunked.json()) == (413, expected)
    plane.provider.does(MODEL, answer(used=usage(1, 1)))
    request = json.dumps(question(text=""))
    whole = plane.post("/chat/completions", request.replace('""', f'"{"x" * (MAX_BODY_BYTES - len(request))}"'))
    assert (whole.status_code, len(whole.request.content)) == (200, MAX_BODY_BYTES)


def test_a_prompt_beyond_the_context(plane: Plane, team: dict[str, Any]) -> None:
    for stream in (False, True):
        response = plane.chat("local/echo", "word " * 140_000, stream=stream)
        told = response.json()["error"]
        assert (response.status_code, told["type"], told["param"]) == (400, "context_length_exceeded", "messages")
        assert told["message"].startswith("This model's maximum context length is 131072 tokens.")
    assert {record["outcome"] for record in plane.books().records} == {"failed"}
    assert plane.books().available == 1000


def test_routes_that_are_none(plane: Plane, team: dict[str, Any]) -> None:
    for path in ("/nothing", "/chat", "/"):
        response = plane.get(path)
        assert (response.status_code, response.json()) == (404, error(404, "not_found_error", "Not Found"))
    response = plane.get("/chat/completions")
    assert (response.status_code, response.json()) == (405, error(405, "not_found_error", "Method Not Allowed"))
    assert plane.post("/models", {}).status_code == 405


@pytest.mark.parametrize("method", ["chat", "completions"])
def test_echo_answers_whatever_text_it_gets(plane: Plane, team: dict[str, Any], method: str) -> None:
    """The built-in provider: words it was given, within the maximum, its own usage exact."""
    parts = [{"type": "text", "text": "some"}, {"type": "image_url", "image_url": {"url": "http://i"}}, "words"]
    said = {"chat": question("local/echo", parts), "completions": {"model": "local/echo", "prompt": "some words"}}
    path = {"chat": "/chat/completions", "completions": "/completions"}[method]
    whole = plane.post(path, {**said[method], "n": 2}).json()
    texts = [choice.get("text") or choice["message"]["content"] for choice in whole["choices"]]
    assert texts == ["some words"] * 2
    short = plane.post(path, {**said[method], "max_tokens": 1}).json()
    assert short["choices"][0]["finish_reason"] == "length"
    assert short["usage"]["completion_tokens"] <= 1
    assert {record["credits_charged"] for record in plane.books().records} == {0}


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/engines/fast/chat/completions",
        "/v1/engines/fast/chat/completions",
        "/openai/deployments/fast/chat/completions",
    ],
)
def test_the_other_paths_of_a_completion(plane: Plane, team: dict[str, Any], path: str) -> None:
    plane.provider.does(MODEL, answer("Hello there", used=usage(10, 5)))
    named = {} if path == "/chat/completions" else {"model": "of-the-body"}
    headers = {"api-key": plane.key} if "openai" in path else plane.headers()
    response = plane.client.post(path, json=question() | named, headers=headers)
    assert (response.status_code, response.json()["model"]) == (200, "fast")
    assert plane.provider.last.path == "/v1/chat/completions"


def test_the_other_path_of_the_models(plane: Plane, team: dict[str, Any]) -> None:
    assert plane.client.get("/models", headers=plane.headers()).json() == plane.get("/models").json()
    assert plane.client.get("/models/fast", headers=plane.headers()).json()["id"] == "fast"
