"""Every route of the dialect by every kind of caller (contract litellm 2, Q-08, Q-09)."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.support import build
from tests.support.api import Answer, call, key
from tests.support.items import raw_items
from tests.support.litellm_roles import CALLERS, EACH_REFUSED, ROWS, Cast, Row
from tests.support.requests import KNOWN_KEY, Endpoint, dialect_endpoints
from tollgate.auth.principal import Principal
from tollgate.keys.service import KeyService, key_service

ENDPOINTS = {str(endpoint): endpoint for endpoint in dialect_endpoints()}
_cast = Cast()
_read = KeyService.principal


@pytest.fixture(autouse=True)
def empty_table() -> None:
    """The world is built once and again only after what changed it."""


@pytest.fixture
def cast() -> Cast:
    if _cast.dirty:
        _cast.build()
    _cast.dirty = True
    return _cast


@pytest.fixture(autouse=True)
def known_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who a key is somebody's is read once: that it is read on every request is tested elsewhere, and takes its time."""
    monkeypatch.setattr(KeyService, "principal", lambda _, key_id, *__, **___: _principal(key_id))


@cache
def _principal(key_id: str) -> Principal:
    return _read(key_service(), key_id, "/")


def ask(cast: Cast, row: Row, name: str) -> Answer:
    endpoint = ENDPOINTS[row.route]
    sent = row.sent(CALLERS[name] or "ana")
    request = {"body": endpoint.valid.body, "query": endpoint.valid.query} if row.request is None else sent
    return call(endpoint.method, endpoint.path(cast.values | row.path), **request, caller=cast.caller(name))


def outcome(answer: Answer) -> int:
    """The status; of a bulk answer in which nothing succeeded ``EACH_REFUSED``."""
    if answer.status == 200 and isinstance(answer.body, dict) and "total_requested" in answer.body:
        (done,) = [value for name, value in answer.body.items() if name.startswith("successful")]
        return answer.status if done else EACH_REFUSED
    return answer.status


def snapshot() -> list[dict[str, Any]]:
    return sorted(raw_items(), key=lambda item: (item["PK"]["S"], item["SK"]["S"]))


def changes(endpoint: Endpoint, status: int) -> bool:
    writes = endpoint.method != "GET" or str(endpoint) == "GET /health/services"
    return writes and status < 400 and status != EACH_REFUSED


def test_every_route_has_its_row() -> None:
    """Paths that one function answers need one row together."""
    assert {ENDPOINTS[row.route].function for row in ROWS} == {one.function for one in ENDPOINTS.values()}
    assert len({str(row) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_who_may(cast: Cast, row: Row) -> None:
    """First whoever is refused or only reads, which leaves the table as it is; then each write in a fresh world."""
    endpoint = ENDPOINTS[row.route]
    expected = dict(zip(CALLERS, row.expected(), strict=True))
    readers = [name for name, status in expected.items() if not changes(endpoint, status)]
    prepare = endpoint.valid.before or (lambda: None)
    prepare()
    before = snapshot()
    answers = {name: ask(cast, row, name) for name in readers}
    assert snapshot() == before
    for name in expected.keys() - set(readers):
        cast.build()
        prepare()
        answers[name] = ask(cast, row, name)
    assert {name: outcome(answers[name]) for name in expected} == expected, [one.text for one in answers.values()]
    cast.dirty = len(readers) < len(expected) or endpoint.valid.before is not None


@pytest.mark.parametrize(
    ("method", "path", "request_", "status"),
    [
        ("GET", "/organization/info", {"query": {"organization_id": "org_acme"}}, 200),
        ("GET", "/organization/info", {"query": {"organization_id": "org_other"}}, 403),
        ("POST", "/organization/info", {"body": {"organizations": ["org_acme"]}}, 200),
        ("POST", "/organization/info", {"body": {"organizations": ["org_acme", "org_other"]}}, 403),
        ("GET", "/team/list", {"query": {"organization_id": "org_acme"}}, 200),
        ("GET", "/team/list", {"query": {"organization_id": "org_other"}}, 401),
        ("POST", "/team/new", {"body": {"organization_id": "org_acme"}}, 200),
        ("POST", "/team/new", {"body": {"organization_id": "org_other"}}, 401),
        ("POST", "/team/new", {"body": {}}, 401),
        ("PATCH", "/team/acme-dev", {"body": {"team_alias": "Dev"}}, 200),
        ("PATCH", "/team/other-dev", {"body": {"team_alias": "Dev"}}, 403),
        ("POST", "/user/new", {"body": {"organizations": ["org_acme", "org_other"]}}, 401),
        ("POST", f"/key/{KNOWN_KEY}/regenerate", {"body": {}}, 200),
    ],
)
def test_where_an_organization_is_named(
    cast: Cast, method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    """Its administrator is one by body, query and path, and of every organization that is named (contract 2.3)."""
    answer = call(method, path, **request_, caller=cast.caller("organization admin"))
    assert answer.status == status, answer.text


def test_a_key_has_its_users_roles_only_where_it_is(cast: Cast) -> None:
    """Q-09: whoever manages a team makes keys in its members' names."""
    build.member("organization-member", "org_acme", "omar", role="org_admin")
    everywhere = cast.caller("foreign organization admin")
    here = key(call("POST", "/key/generate", {"user_id": "omar", "team_id": "acme-dev"}).body["key"])
    for organization_id, by_team_key in (("org_acme", 200), ("org_other", 403)):
        query = {"organization_id": organization_id}
        assert call("GET", "/organization/info", query=query, caller=here).status == by_team_key
    _principal.cache_clear()
    for organization_id in ("org_acme", "org_other"):
        query = {"organization_id": organization_id}
        assert call("GET", "/organization/info", query=query, caller=everywhere).status == 200
    _principal.cache_clear()
    admins = key(call("POST", "/key/generate", {"user_id": "adam", "team_id": "acme-dev"}).body["key"])
    assert call("GET", "/team/info", query={"team_id": "acme-dev"}, caller=admins).status == 200
    assert call("POST", "/budget/new", {"max_budget": 1}, caller=admins).status == 401
