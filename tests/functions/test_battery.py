"""What holds for every admin endpoint, by the routes of ``template.yaml``: a new one cannot skip it."""

from __future__ import annotations

import importlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.api import FUNCTIONS, MASTER, MASTER_KEY, NOBODY, ROUTES, Answer, call, key, problem
from tests.support.requests import CANARY, REQUESTS, UNKNOWN, Endpoint, World, admin_endpoints, dialect_endpoints
from tollgate.auth.policy import GRANTS
from tollgate.auth.principal import Role
from tollgate.telemetry import logger

ENDPOINTS = admin_endpoints()
OPEN = {"OpenApi", "SwaggerUi", "Redoc", "GetSetupStatus", "SetUp", "LogIn"}
GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.function.removesuffix("Function") not in OPEN]
WITH_BODY = [endpoint for endpoint in GUARDED if endpoint.valid.body is not None]
WITH_VARIABLE = [(endpoint, variable) for endpoint in GUARDED for variable in endpoint.variables]
# Where the request names a team outside the path.
BY_TEAM_ID = [
    endpoint
    for endpoint in GUARDED
    if endpoint.function.startswith(
        ("AddCredits", "AdjustCredits", "GetCredit", "ListCredit", "RefundCredits", "TransferCredits")
    )
]
# Names no resource: each key gets its own.
OF_THE_KEY = {"VerifyKeyFunction"}
HOSTILE = [
    "a%23b",
    "a%2Fb",
    "%2E%2E%2Fteams",
    "%00",
    "%FF%FE",
    "%25",
    "x" * 300,
    quote("\N{EURO SIGN}" * 300),
    "%7B%22a%22%3A1%7D",
    "Robert%27%29%3B--",
]
MALFORMED = [
    "{broken",
    "{'a': 1}",
    '{"a": NaN}',
    '{"a": "\\ud800"}',
    "[" * 100_000,
    '{"a": ' * 150 + "1" + "}" * 150,
    '{"a": 1e999999999}',
    f'{{"a": {"9" * 5000}}}',
]
UNAUTHENTICATED = problem(401, "invalid_api_key", "Invalid or missing API key")
FORBIDDEN = problem(403, "forbidden", "This credential may not use this endpoint")

_world = World()


@pytest.fixture(autouse=True)
def empty_table() -> None:
    """The world is built once and again only after a test that changed it."""


@pytest.fixture
def world() -> Iterator[World]:
    """The world as it was built; a test that does not declare it dirty must not have changed a thing."""
    if _world.dirty:
        _world.build()
    yield _world
    if not _world.dirty:
        _world.dirty = True
        assert not _world.changed()
        _world.dirty = False


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that the function's logger says."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def each(endpoints: list[Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("endpoint", endpoints, ids=str)


def send(endpoint: Endpoint, world: World, **changes: Any) -> Answer:
    """The endpoint's valid request, with ``caller``, ``body``, ``query`` or path ``values`` changed."""
    valid = endpoint.valid
    values = world.values | changes.pop("values", {})
    request = {"body": valid.body, "query": valid.query, "caller": MASTER} | changes
    return call(endpoint.method, endpoint.path(values), **request)


def refused(endpoint: Endpoint, world: World, **changes: Any) -> Answer:
    """Like ``send``, for a request that must be refused with a problem document."""
    answer = send(endpoint, world, **changes)
    assert 400 <= answer.status < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.body["instance"]
    return answer


def named(answer: Answer) -> list[str]:
    return [error["field"] for error in answer.body["errors"]]


def open_to_team_keys(endpoint: Endpoint) -> bool:
    module = FUNCTIONS[endpoint.function].handler.removesuffix(".handler")
    return Role.TEAM_KEY in GRANTS[importlib.import_module(module).app.action]


def test_every_endpoint_has_a_valid_request() -> None:
    known = [*ENDPOINTS, *dialect_endpoints()]
    assert {endpoint.function.removesuffix("Function") for endpoint in known} == set(REQUESTS)


def test_only_the_open_endpoints_have_no_authorizer() -> None:
    without = {route.function for route in ROUTES if route.function is not None and route.authorizer is None}
    dialect = {f"LiteLlm{name}Function" for name in ("Liveliness", "Readiness", "ListRoutes", "Test")}
    # The proxy looks itself at who asks for health.
    assert without == {f"{name}Function" for name in OPEN} | dialect | {"ProxyFunction"}


@each(ENDPOINTS)
def test_the_valid_request_succeeds(endpoint: Endpoint, world: World) -> None:
    world.dirty = True
    if endpoint.valid.before:
        endpoint.valid.before()
    answer = send(endpoint, world)
    assert answer.status == endpoint.valid.status, answer.text


@each(GUARDED)
def test_without_credential(endpoint: Endpoint, world: World) -> None:
    answer = refused(endpoint, world, caller=NOBODY)
    assert (answer.status, answer.body) == (401, UNAUTHENTICATED)


@each(WITH_BODY)
def test_without_credential_a_broken_body_says_no_more(endpoint: Endpoint, world: World) -> None:
    answer = refused(endpoint, world, caller=NOBODY, body="{broken")
    assert (answer.status, answer.body) == (401, UNAUTHENTICATED)


@each(GUARDED)
def test_with_an_unknown_key(endpoint: Endpoint, world: World) -> None:
    answer = refused(endpoint, world, caller=key("sk-" + "0" * 32))
    assert (answer.status, answer.body) == (401, UNAUTHENTICATED)


@each([endpoint for endpoint in GUARDED if not open_to_team_keys(endpoint)])
def test_a_team_key_manages_nothing(endpoint: Endpoint, world: World) -> None:
    for virtual_key in (world.team_key, world.sister_key, world.foreign_key):
        answer = refused(endpoint, world, caller=key(virtual_key))
        assert (answer.status, answer.body) == (403, FORBIDDEN)


@each([endpoint for endpoint in GUARDED if open_to_team_keys(endpoint) and endpoint.function not in OF_THE_KEY])
def test_a_team_key_uses_its_own_team_only(endpoint: Endpoint, world: World) -> None:
    world.dirty = endpoint.method != "GET"
    assert send(endpoint, world, caller=key(world.team_key)).status == 200
    other_team, missing = "API key does not belong to team 'acme-dev'", "Team 'acme-dev' not found"
    if "job_id" in endpoint.variables:
        other_team, missing = "Job does not belong to your team", "Job not found"
    sister = refused(endpoint, world, caller=key(world.sister_key))
    assert (sister.status, sister.body) == (
        403,
        problem(403, "forbidden", other_team),
    )
    foreign = refused(endpoint, world, caller=key(world.foreign_key))
    assert (foreign.status, foreign.body) == (404, problem(404, "not_found", missing))


@each(WITH_BODY)
def test_malformed_json(endpoint: Endpoint, world: World) -> None:
    for body in MALFORMED:
        answer = refused(endpoint, world, body=body)
        assert (answer.status, named(answer)) == (422, ["body"]), body[:20]


@each(WITH_BODY)
def test_json_of_another_type(endpoint: Endpoint, world: World) -> None:
    for body in ("[]", "[{}]", '"text"', "12", "true", json.dumps([endpoint.valid.body])):
        answer = refused(endpoint, world, body=body)
        assert (answer.status, named(answer)) == (422, ["body"]), body


@each(WITH_BODY)
def test_unknown_field(endpoint: Endpoint, world: World) -> None:
    answer = refused(endpoint, world, body={**(endpoint.valid.body or {}), "no_such_field": CANARY})
    assert answer.status == 422
    assert named(answer) == ["no_such_field"]
    assert CANARY not in answer.text


@each(WITH_BODY)
def test_every_field_of_another_type(endpoint: Endpoint, world: World) -> None:
    for name in endpoint.valid.body or {}:
        answer = refused(endpoint, world, body={**(endpoint.valid.body or {}), name: [[CANARY]]})
        assert answer.status == 422
        assert {field.split(".")[0] for field in named(answer)} == {name}
        assert CANARY not in answer.text


@pytest.mark.parametrize(("endpoint", "variable"), WITH_VARIABLE, ids=str)
def test_unknown_id(endpoint: Endpoint, variable: str, world: World) -> None:
    answer = refused(endpoint, world, values={variable: UNKNOWN[variable]})
    assert answer.status == 404
    assert answer.body["code"] == "not_found"


@each(BY_TEAM_ID)
def test_unknown_team_outside_the_path(endpoint: Endpoint, world: World) -> None:
    place = "body" if endpoint.valid.body else "query"
    changed = {**(getattr(endpoint.valid, place)), "team_id": "no-team"}
    answer = refused(endpoint, world, **{place: changed})
    assert (answer.status, answer.body) == (404, problem(404, "not_found", "Team 'no-team' not found"))


@pytest.mark.parametrize(("endpoint", "variable"), WITH_VARIABLE, ids=str)
def test_hostile_id(endpoint: Endpoint, variable: str, world: World) -> None:
    for text in HOSTILE:
        answer = refused(endpoint, world, values={variable: text})
        assert answer.status in {404, 422}, text


@each([endpoint for endpoint in GUARDED if endpoint.valid.query])
def test_nonsense_in_the_query(endpoint: Endpoint, world: World) -> None:
    for name in endpoint.valid.query:
        answer = send(endpoint, world, query=endpoint.valid.query | {name: "\N{EURO SIGN}#/" * 100})
        assert 400 <= answer.status < 500, (name, answer.text)


@each([endpoint for endpoint in GUARDED if "limit" in endpoint.valid.query])
def test_pages_are_bounded(endpoint: Endpoint, world: World) -> None:
    for limit in ("0", "101", "-1", "x"):
        answer = refused(endpoint, world, query=endpoint.valid.query | {"limit": limit})
        assert (answer.status, named(answer)) == (422, ["limit"])
    answer = refused(endpoint, world, query=endpoint.valid.query | {"cursor": "bm90LW91cnM"})
    assert (answer.status, answer.body["code"]) == (400, "invalid_cursor")


@each(WITH_BODY)
def test_oversized_body(endpoint: Endpoint, world: World) -> None:
    answer = refused(endpoint, world, body=json.dumps({"name": "x" * 5 * 1024 * 1024}))
    assert (answer.status, answer.body) == (
        413,
        problem(413, "request_too_large", "The request body may have at most 5242880 bytes"),
    )


@each(ENDPOINTS)
def test_secrets_stay_secret(
    endpoint: Endpoint, world: World, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    world.dirty = True
    secrets = [*world.secrets, MASTER_KEY]
    broken = {**endpoint.valid.body, "no_such_field": world.team_key} if endpoint.valid.body else None
    answers = [
        send(endpoint, world, caller=key(world.team_key), headers={"Authorization": f"Bearer {world.team_key}"}),
        send(endpoint, world, body=broken, headers={"X-Admin-Key": MASTER_KEY}),
        send(endpoint, world, headers={"Authorization": f"Bearer {MASTER_KEY}"}),
    ]
    made = [answer.body["virtual_key"] for answer in answers if isinstance(answer.body, dict) and _is_new(answer)]
    logged = log.getvalue() + "".join(capfd.readouterr())
    for secret in secrets:
        assert not [answer.text for answer in answers if secret in answer.text]
    for secret in [*secrets, *made]:
        assert secret not in logged


def _is_new(answer: Answer) -> bool:
    return "..." not in (answer.body.get("virtual_key") or "...")
