"""Every endpoint with every kind of caller, up to the point where its body would be looked at (design section 4).

Callers come in by the real front: the authorizer's word, then key, session, user and memberships from the table. What is
behind is replaced by an answer of its own. What each role may do is written by hand in ``tests/unit/test_policy.py``.
"""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import Response

from tests.support import build
from tests.support.api import FUNCTIONS, MASTER, NOBODY, Answer, call, event, key, problem
from tests.support.items import put_raw, raw_items
from tests.support.permissions import EXPECTED
from tests.support.requests import Endpoint, World, admin_endpoints
from tests.support.sessions import session_of
from tollgate.auth.policy import NOT_BY_SESSION, Action
from tollgate.auth.principal import Principal
from tollgate.core.errors import UnauthenticatedError
from tollgate.http import api, identity
from tollgate.table import keys

REACHED = 299
# The letters of ``EXPECTED`` that a caller has.
ROLES = {
    "master key": "o",
    "owner": "ou",
    "admin": "au",
    "viewer": "vu",
    "org_owner": "Ou",
    "org_admin": "Au",
    "org_developer": "Du",
    "org_viewer": "Vu",
    "team_admin": "tu",
    "team_member": "mu",
    "team key": "k",
    "user's key": "ku",
    "foreign org_admin": "Au",
    "foreign team key": "k",
}
UNKNOWN = ("nobody", "unknown key", "unknown session", "expired session", "revoked session", "revoked key")
# Who comes with a key; everybody else is logged in.
KEYS = {"master key", "team key", "user's key", "foreign team key"}
# Whose valid request asks for a further right that these callers have nowhere: over others' passwords, over an
# organization's own limits.
ASK_FOR_MORE = {"ChangePasswordFunction", "UpdateOrganizationFunction"}
_PLATFORM = {"owner": "platform_owner", "admin": "platform_admin", "viewer": "platform_viewer"}
_world = World()


def action_of(endpoint: Endpoint) -> Action | None:
    module = FUNCTIONS[endpoint.function].handler.removesuffix(".handler")
    action: Action | None = importlib.import_module(module).app.action
    return action


GUARDED = [endpoint for endpoint in admin_endpoints() if action_of(endpoint) is not None]


@pytest.fixture(autouse=True)
def empty_table() -> None:
    """The world is built once; nothing here changes it."""


@pytest.fixture(scope="module")
def callers() -> dict[str, dict[str, str] | None]:
    """What the authorizer says about each caller, in the battery's world."""
    _world.build()
    for name in ("org_owner", "org_admin", "org_developer", "org_viewer"):
        build.user(name)
        build.member("organization-member", "org_acme", name, role=name)
    for name in ("team_admin", "team_member"):
        build.user(name)
        build.member("team-member", "acme-dev", name, role=name)
    for name, role in _PLATFORM.items():
        build.user(name, role=role)
    build.user("foreign org_admin")
    build.member("organization-member", "org_other", "foreign org_admin", role="org_admin")
    build.user("key owner")
    users_key = build.issued_key("acme-dev", user_id="key owner")["virtual_key"]
    sessions = {name: session_of(name) for name in ROLES if name not in KEYS}
    return sessions | {
        "master key": MASTER,
        "team key": key(_world.team_key),
        "foreign team key": key(_world.foreign_key),
        "user's key": key(users_key),
        "nobody": NOBODY,
        "unknown key": key("sk-" + "0" * 32),
        "unknown session": MASTER | {"kind": "session", "session_id": "0" * 64},
        "revoked key": _revoked_key(),
        "revoked session": _revoked_session(),
        "expired session": _expired_session(),
    }


def _revoked_key() -> dict[str, str]:
    issued = build.issued_key("acme-dev")
    call("DELETE", f"/api/teams/acme-dev/keys/{issued['key_id']}")
    return key(issued["virtual_key"])


def _revoked_session() -> dict[str, str]:
    who = session_of("owner")
    call("POST", "/api/admin-users/logout", caller=who)
    return who


def _expired_session() -> dict[str, str]:
    who = session_of("owner")
    (item,) = [one for one in raw_items() if one["PK"]["S"] == keys.session(who["session_id"])]
    put_raw([item | {"expires_at": {"S": "2020-01-01T00:00:00.000000Z"}}])
    return who


@pytest.fixture(scope="module")
def fronts(callers: dict[str, dict[str, str] | None]) -> dict[str, Principal | UnauthenticatedError]:
    """Whom the front takes each caller for, or how it refuses him."""

    def front(who: dict[str, str] | None) -> Principal | UnauthenticatedError:
        try:
            return identity.principal_of(event("GET", "/api/teams", caller=who))
        except UnauthenticatedError as error:
            return error

    return {name: front(who) for name, who in callers.items()}


def test_who_is_nobody(fronts: dict[str, Principal | UnauthenticatedError]) -> None:
    assert {name for name, front in fronts.items() if isinstance(front, UnauthenticatedError)} == set(UNKNOWN)


@pytest.mark.parametrize("endpoint", GUARDED, ids=str)
def test_every_caller(
    endpoint: Endpoint, fronts: dict[str, Principal | UnauthenticatedError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def principal_of(proxied: dict[str, Any]) -> Principal:
        front = fronts[proxied["requestContext"]["authorizer"]["name"]]
        if isinstance(front, UnauthenticatedError):
            raise front
        return front

    monkeypatch.setattr(api, "principal_of", principal_of)
    monkeypatch.setattr(api.AdminApi, "_answer", lambda *_: Response(status_code=REACHED, body="{}"))
    path = endpoint.path(_world.values)
    # What it is that would be sent does not matter: nobody is told of it who may not send it.
    found = {name: call(endpoint.method, path, "{broken", caller={"name": name}).status for name in fronts}
    assert found == {name: expected(name, action_of(endpoint)) for name in fronts}


def expected(name: str, action: Action | None) -> int:
    if name in UNKNOWN:
        return 401
    assert action is not None
    by_session = name not in KEYS
    granted = bool(set(ROLES[name]) & set(EXPECTED[action.value])) and not (by_session and action in NOT_BY_SESSION)
    return REACHED if granted else 403


def foreign(endpoint: Endpoint, callers: dict[str, dict[str, str] | None], name: str) -> Answer:
    valid = endpoint.valid
    path = endpoint.path(_world.values)
    return call(endpoint.method, path, valid.body, query=valid.query, caller=callers[name])


@pytest.mark.parametrize("name", ["foreign org_admin", "foreign team key"])
@pytest.mark.parametrize("endpoint", [one for one in GUARDED if one.variables], ids=str)
def test_another_tenants_resources_do_not_exist(
    endpoint: Endpoint, name: str, callers: dict[str, dict[str, str] | None]
) -> None:
    """404 where the caller's role allows the action somewhere, in words that an unknown id gets, too; else 403."""
    answer = foreign(endpoint, callers, name)
    reaches = expected(name, action_of(endpoint)) == REACHED and endpoint.function not in ASK_FOR_MORE
    assert answer.status == (404 if reaches else 403), answer.text
    if reaches:
        assert answer.body == problem(404, "not_found", answer.body["detail"])


def test_nothing_of_that_changed_anything(callers: dict[str, dict[str, str] | None]) -> None:
    before = sorted(map(str, raw_items()))
    for endpoint in GUARDED:
        if endpoint.variables and endpoint.method != "GET":
            foreign(endpoint, callers, "foreign org_admin")
    assert sorted(map(str, raw_items())) == before
