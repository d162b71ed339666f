"""Idempotency-Key, ETag, If-None-Match and If-Match on every endpoint there is (Q-37, RFC 9110)."""

from __future__ import annotations

import json
from contextvars import Context
from typing import Any

import pytest

from tests.support import build
from tests.support.api import MASTER, Answer, call, event, invoke, key, problem
from tests.support.clock import FakeClock
from tests.support.items import raw_items
from tests.support.requests import Endpoint, World, admin_endpoints
from tollgate.core.errors import StoreUnavailableError
from tollgate.http.conditions import once
from tollgate.table import keys
from tollgate.table.idempotency import IdempotentItem, RequestClaim
from tollgate.table.transactions import Work
from tollgate.teams.model import TeamStatus
from tollgate.tenants.teams import TeamService

ENDPOINTS = [endpoint for endpoint in admin_endpoints() if endpoint.template.startswith("/api/")]
_OPEN = {"/api/admin-users/setup", "/api/admin-users/setup/status", "/api/admin-users/login"}
# Only a team's key has an answer there.
_OF_KEYS = {"/api/teams/verify"}
GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.template not in _OPEN]
POSTS = [endpoint for endpoint in GUARDED if endpoint.method == "POST"]
READS = [endpoint for endpoint in GUARDED if endpoint.method == "GET"]
WRITES = [endpoint for endpoint in GUARDED if endpoint.method in {"PUT", "PATCH", "DELETE"}]
# Writes of what can be read with its version under the same path.
VERSIONED = [
    one for one in WRITES if any(read.template == one.template for read in READS) and "{scope}" not in one.template
]
STALE = problem(
    412,
    "precondition_failed",
    "The resource is not the version that If-Match names; read it again",
    errors=[{"field": "if-match", "message": "The resource is not the version that If-Match names; read it again"}],
)
IN_USE = "The first request under this Idempotency-Key is still running"

_world = World()


@pytest.fixture(autouse=True)
def empty_table() -> None:
    """The world is built once, and again after each test that changed it."""


@pytest.fixture
def world() -> World:
    if _world.dirty:
        _world.build()
    _world.dirty = True
    return _world


@pytest.fixture
def reading_world() -> World:
    if _world.dirty:
        _world.build()
    return _world


def each(endpoints: list[Endpoint]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("endpoint", endpoints, ids=str)


def send(endpoint: Endpoint, world: World, **headers: str) -> Answer:
    valid = endpoint.valid
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    caller = key(world.team_key) if endpoint.template in _OF_KEYS else MASTER
    return call(
        endpoint.method, endpoint.path(world.values), valid.body, query=valid.query, caller=caller, headers=named
    )


def prepared(endpoint: Endpoint) -> None:
    if endpoint.valid.before:
        endpoint.valid.before()


def masked(value: Any) -> Any:
    """An answer with what is shown once masked."""
    if isinstance(value, list):
        return [masked(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        name: f"{entry[:3]}...{entry[-4:]}" if name in {"secret", "virtual_key"} and entry else masked(entry)
        for name, entry in value.items()
    }


@each(POSTS)
def test_the_same_request_again_does_nothing_and_is_answered_the_same(endpoint: Endpoint, world: World) -> None:
    prepared(endpoint)
    first = send(endpoint, world, idempotency_key="a")
    assert first.status == endpoint.valid.status, first.text
    assert "idempotency-replayed" not in first.headers
    done = raw_items()
    again = send(endpoint, world, idempotency_key="a")
    assert (again.status, again.body) == (first.status, masked(first.body))
    assert again.headers["idempotency-replayed"] == "true"
    assert raw_items() == done
    changed = json.dumps(endpoint.valid.body or {}) + " "
    other = call(
        "POST", endpoint.path(world.values), changed, query=endpoint.valid.query, headers={"Idempotency-Key": "a"}
    )
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")
    assert raw_items() == done


@each(POSTS)
def test_no_secret_is_kept_for_the_answer(endpoint: Endpoint, world: World) -> None:
    prepared(endpoint)
    shown = send(endpoint, world, idempotency_key="a").body
    kept = next(item["answer"]["S"] for item in raw_items() if item["kind"]["S"] == "idempotent")
    for name in ("secret", "virtual_key"):
        if shown.get(name) and "..." not in shown[name]:
            assert shown[name] not in kept


@each(POSTS)
@pytest.mark.parametrize("given", ["", "x" * 256])
def test_keys_of_no_or_great_length(endpoint: Endpoint, given: str, reading_world: World) -> None:
    answer = send(endpoint, reading_world, idempotency_key=given)
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["idempotency-key"])
    assert not reading_world.changed()


TEAM = {"organization_id": "org_acme", "team_id": "acme-new"}
ONCE = {"Idempotency-Key": "a"}


def claim(clock: FakeClock, body: dict[str, Any] = TEAM) -> RequestClaim:
    """The claim of a request that creates a team, as the API makes it."""
    text = json.dumps(body)
    return RequestClaim(once(build.owner(), "POST", "/api/teams/create", "a", text), clock())


def test_the_first_is_still_running(world: World, clock: FakeClock) -> None:
    assert claim(clock).take() is None
    answer = call("POST", "/api/teams/create", TEAM, headers=ONCE)
    errors = [{"field": "idempotency-key", "message": IN_USE}]
    assert (answer.status, answer.body) == (409, problem(409, "idempotency_key_in_use", IN_USE, errors=errors))
    assert call("GET", "/api/teams/acme-new").status == 404


def test_a_key_whose_first_request_died_before_it_did_anything(world: World, clock: FakeClock) -> None:
    claim(clock).take()
    clock.advance(seconds=61)
    assert call("POST", "/api/teams/create", TEAM, headers=ONCE).status == 200


def test_who_was_given_up_can_do_nothing_any_more(
    world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first comes to its transaction after a minute; a second one has taken its key over by then."""
    create, raced = TeamService.create, []

    def slow(self: TeamService, *given: Any) -> Any:
        if not raced:
            raced.append(True)
            clock.advance(seconds=61)
            second = claim(clock)
            assert second.take() is None
        return create(self, *given)

    monkeypatch.setattr(TeamService, "create", slow)
    answer = call("POST", "/api/teams/create", TEAM, headers=ONCE)
    assert (answer.status, answer.body["code"]) == (409, "idempotency_key_in_use")
    assert call("GET", "/api/teams/acme-new").status == 404


def test_a_refused_request_uses_no_key(world: World) -> None:
    wrong = TEAM | {"organization_id": "org_nobody"}
    assert call("POST", "/api/teams/create", wrong, headers=ONCE).status == 404
    assert call("POST", "/api/teams/create", "{broken", headers=ONCE).status == 422
    assert call("POST", "/api/teams/create", TEAM, headers=ONCE).status == 200


def test_an_answer_that_was_lost_is_not_made_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process died between its transaction and its answer: nothing is done twice."""
    commit = Work.commit

    def dying(work: Work) -> None:
        commit(work)
        raise StoreUnavailableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Work, "commit", dying)
        patch.setattr(RequestClaim, "finish", lambda *_, **__: None)
        assert call("POST", "/api/teams/create", TEAM, headers=ONCE).status == 503
    answer = call("POST", "/api/teams/create", TEAM, headers=ONCE)
    assert (answer.status, answer.body["code"]) == (409, "idempotency_answer_lost")
    assert call("GET", "/api/teams/acme-new").status == 200


def test_a_key_is_its_callers_and_its_paths(world: World) -> None:
    assert call("POST", "/api/teams/acme-dev/suspend", {}, headers=ONCE).status == 200
    assert call("POST", "/api/teams/acme-prod/suspend", {}, headers=ONCE).headers.get("idempotency-replayed") is None
    digests = {item["PK"]["S"] for item in raw_items() if item["kind"]["S"] == "idempotent"}
    assert len(digests) == 2
    assert IdempotentItem.find(keys.idempotent("nothing"), keys.ENTITY) is None


@each(READS)
def test_what_is_known_is_not_sent_again(endpoint: Endpoint, reading_world: World) -> None:
    first = send(endpoint, reading_world)
    assert first.status == 200, first.text
    tag = first.headers["etag"]
    if "as_of" in first.text or "csv" in first.headers["content-type"]:
        # It says when it was asked for, so it is another answer each second.
        return
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = send(endpoint, reading_world, if_none_match=known)
        assert (again.status, again.text, again.headers["etag"]) == (304, "", tag)
        assert "content-type" not in again.headers
    other = send(endpoint, reading_world, if_none_match='"v1.0-0"')
    assert (other.status, other.text) == (200, first.text)


@each(WRITES)
def test_another_version_changes_nothing(endpoint: Endpoint, world: World) -> None:
    prepared(endpoint)
    before = raw_items()
    for tag in ('"v999.0-0"', '"whatever"', "nonsense", 'W/"v0.0-0"'):
        answer = send(endpoint, world, if_match=tag)
        assert (answer.status, answer.body) == (412, STALE), answer.text
    assert raw_items() == before


@each(WRITES)
def test_any_version_will_do(endpoint: Endpoint, world: World) -> None:
    prepared(endpoint)
    assert send(endpoint, world, if_match="*").status == endpoint.valid.status


@each(VERSIONED)
def test_the_version_that_was_read_is_changed(endpoint: Endpoint, world: World) -> None:
    prepared(endpoint)
    tag = call("GET", endpoint.path(world.values), query=endpoint.valid.query).headers["etag"]
    assert tag.startswith('"v')
    answer = send(endpoint, world, if_match=tag)
    assert answer.status == endpoint.valid.status, answer.text


def test_a_change_makes_what_was_read_stale(world: World) -> None:
    path = "/api/organizations/org_acme"
    tag = call("GET", path).headers["etag"]
    changed = call("PUT", path, {"name": "First"}, headers={"If-Match": tag})
    assert changed.status == 200
    late = call("PUT", path, {"name": "Second"}, headers={"If-Match": tag})
    assert (late.status, late.body) == (412, STALE)
    new = changed.headers["etag"]
    assert new != tag
    assert call("PUT", path, {"name": "Third"}, headers={"If-Match": new}).status == 200
    assert call("GET", path).body["name"] == "Third"


def test_what_changes_without_a_write_of_the_resource_is_no_conflict(world: World) -> None:
    """Credits are shown with a team, and are not the team's item."""
    path = "/api/teams/acme-dev"
    tag = call("GET", path).headers["etag"]
    call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 5})
    assert call("GET", path, headers={"If-None-Match": tag}).status == 200
    assert call("PUT", path, {"team_alias": "New"}, headers={"If-Match": tag}).status == 200


def test_a_write_in_between_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody changes the team after our read: the write itself depends on the version."""
    from tollgate.teams import repository

    path = "/api/teams/acme-dev"
    tag = call("GET", path).headers["etag"]
    find, raced = repository.find, []

    def racing(team_id: str) -> Any:
        team = find(team_id)
        if not raced:
            raced.append(True)
            # Another process: it knows nothing of this request.
            Context().run(TeamService().set_status, build.owner(), team_id, TeamStatus.PAUSED)
        return team

    with monkeypatch.context() as patch:
        patch.setattr(repository, "find", racing)
        proxied = event("PUT", path, {"team_alias": "ours"}, caller=MASTER, headers={"If-Match": tag})
        answer = invoke("UpdateTeamFunction", proxied)
    assert answer.status == 412
    assert call("GET", path).body["team_alias"] == "acme-dev"


def test_an_id_that_was_given_again_is_another_resource(world: World) -> None:
    path = "/api/model-access-groups/fresh"
    request = {"group_name": "fresh"}
    call("POST", "/api/model-access-groups/create", request)
    tag = call("GET", path).headers["etag"]
    call("DELETE", path)
    call("POST", "/api/model-access-groups/create", request)
    assert call("PUT", path, {"description": "x"}, headers={"If-Match": tag}).status == 412
