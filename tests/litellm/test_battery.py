"""What holds for every endpoint of the dialect, by the routes of ``template.yaml`` (contract litellm 1.0, 1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import NOBODY, Answer, call, key
from tests.support.requests import CANARY, Endpoint, World, dialect_endpoints

ENDPOINTS = dialect_endpoints()
WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint.valid.body is not None]
# Open to everyone.
OPEN = {f"LiteLlm{name}Function" for name in ("Liveliness", "Readiness", "ListRoutes", "Test")}
GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.function not in OPEN]
MALFORMED = ["{broken", '{"a": NaN}', "[" * 100_000, "[]"]
# The contract has an unknown field be an error here.
STRICT = {"LiteLlmPatchOrganizationFunction"}
NO_OBJECTS = ['"text"', "12", "true"]

_world = World()


@pytest.fixture(autouse=True)
def empty_table() -> None:
    """The world is built once and again only after a test that changed it."""


@pytest.fixture
def world() -> Iterator[World]:
    if _world.dirty:
        _world.build()
    yield _world
    if not _world.dirty:
        _world.dirty = True
        assert not _world.changed()
        _world.dirty = False


def each(endpoints: list[Endpoint]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("endpoint", endpoints, ids=str)


def send(endpoint: Endpoint, world: World, **changes: Any) -> Answer:
    request = {"body": endpoint.valid.body, "query": endpoint.valid.query} | changes
    return call(endpoint.method, endpoint.path(world.values), **request)


@each(ENDPOINTS)
def test_the_valid_request_succeeds(endpoint: Endpoint, world: World) -> None:
    world.dirty = True
    if endpoint.valid.before:
        endpoint.valid.before()
    answer = send(endpoint, world)
    assert answer.status == endpoint.valid.status, answer.text


@each(GUARDED)
def test_without_a_known_credential(endpoint: Endpoint, world: World) -> None:
    """API Gateway turns these away first; a handler that is reached all the same says no more."""
    for caller in (NOBODY, key("sk-" + "0" * 32)):
        answer = send(endpoint, world, caller=caller)
        error = answer.body["error"]
        assert (answer.status, error["type"], error["param"], error["code"]) == (401, "auth_error", "None", "401")
        assert error["message"].startswith("Authentication Error, ")


@each(WITH_BODY)
def test_malformed_json(endpoint: Endpoint, world: World) -> None:
    for body in (*MALFORMED, *NO_OBJECTS):
        answer = send(endpoint, world, body=body)
        (entry,) = answer.body["detail"]
        assert (answer.status, entry["loc"][0]) == (422, "body"), body[:20]
        assert entry["type"] == ("json_invalid" if body in MALFORMED else "model_attributes_type"), body[:20]


@each([endpoint for endpoint in WITH_BODY if endpoint.function not in STRICT])
def test_an_unknown_field_is_ignored(endpoint: Endpoint, world: World) -> None:
    world.dirty = True
    if endpoint.valid.before:
        endpoint.valid.before()
    answer = send(endpoint, world, body={**(endpoint.valid.body or {}), "no_such_field": CANARY})
    assert answer.status == endpoint.valid.status, answer.text
    assert CANARY not in answer.text


@each(WITH_BODY)
def test_every_field_of_another_type(endpoint: Endpoint, world: World) -> None:
    for name in endpoint.valid.body or {}:
        answer = send(endpoint, world, body={**(endpoint.valid.body or {}), name: [[CANARY]]})
        assert answer.status == 422
        assert {entry["loc"][1] for entry in answer.body["detail"]} == {name}
        assert all(set(entry) == {"type", "loc", "msg"} for entry in answer.body["detail"])
        assert CANARY not in answer.text
