"""The contract's table of errors on management routes, row by row, in both profiles (litellm 1.0, 1.1; Q-10, Q-55).

Those of calls are in ``tests/proxy/test_dialect_errors.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support import build, refusals
from tests.support.api import NOBODY, Answer, call, key
from tests.support.items import put_raw, raw_items
from tests.support.profiles import PROFILES, profile
from tests.support.refusals import MALFORMED, NO_KEY, no_virtual_key, unknown
from tollgate.core.errors import StoreUnavailableError
from tollgate.keys import repository as keys

UNKNOWN_KEY = "sk-nobody-has-this-key"
_items: list[dict[str, Any]] = []
_strings: dict[str, str] = {}


@pytest.fixture(autouse=True)
def world(empty_table: None) -> None:
    """Two tenants and some users with their keys, made through the API once and from memory after that."""
    if _items:
        put_raw(_items)
        return
    build.organization()
    build.organization("org_other")
    _strings["team"] = build.team()["virtual_key"]
    build.team("other-dev", "org_other")
    build.budget("shared", "taken", max_budget=1)
    build.user("vic", role="platform_viewer")
    build.user("una", role="member_viewer")
    for name in ("ana", "uma", "olga"):
        build.user(name, email=f"{name}@example.com")
    build.member("team-member", "acme-dev", "ana")
    build.member("organization-member", "org_acme", "olga", role="org_admin")
    call("POST", "/customer/new", {"user_id": "taken"})
    for name in ("vic", "una", "ana", "uma", "olga"):
        _strings[name] = call("POST", "/key/generate", {"user_id": name}).body["key"]
    call("POST", "/key/generate", {"key_alias": "taken"})
    _items.extend(raw_items())


# Where nobody gets in

CREDENTIALS: list[tuple[dict[str, str], tuple[str, str, str]]] = [
    ({}, NO_KEY),
    ({"authorization": f"Basic {UNKNOWN_KEY}"}, MALFORMED),
    ({"authorization": "Bearer abcd-no-virtual-key-wxyz"}, no_virtual_key("abcd****wxyz")),
    ({"authorization": f"Bearer {UNKNOWN_KEY}"}, unknown(UNKNOWN_KEY)),
    ({"x-litellm-api-key": UNKNOWN_KEY}, unknown(UNKNOWN_KEY)),
]


@pytest.mark.parametrize(("headers", "told"), CREDENTIALS, ids=str)
def test_no_credential(headers: dict[str, str], told: tuple[str, str, str]) -> None:
    """Whoever gets past API Gateway with it, whatever the body is."""
    answer = call("POST", "/team/new", "{broken", caller=NOBODY, headers=headers)
    assert (answer.status, answer.body) == (401, refusals.body(told))


def ask(name: str, method: str = "GET", path: str = "/key/info", body: Any = None) -> Answer:
    """A request with a key of that user, or the team's own."""
    string = _strings[name]
    return call(method, path, body, caller=key(string), headers={"authorization": f"Bearer {string}"})


@pytest.mark.parametrize("name", PROFILES)
def test_a_key_that_is_none_any_more(name: str) -> None:
    with profile(name):
        call("POST", "/key/delete", {"keys": [_strings["uma"]]})
        gone = ask("uma")
        assert (gone.status, gone.body) == (401, refusals.body(unknown(_strings["uma"])))
        call("POST", "/key/update", {"key": _strings["ana"], "duration": "1s"})
        _expire("ana")
        status = 401 if name == "1.106" else 400
        late = ask("ana")
        told = refusals.expired(_strings["ana"], profile=name)
        assert (late.status, json.loads(refusals.without_times(late.text))) == (status, refusals.body(told, status))


def _expire(name: str) -> None:
    (item,) = [
        one
        for one in raw_items()
        if one.get("key_id", {}).get("S") == key(_strings[name])["key_id"] and one["kind"]["S"] == "key"
    ]
    put_raw([item | {"expires_at": {"S": "2020-01-01T00:00:00.000000Z"}}])


def auth(message: str, status: int = 401, *, kind: str = "auth_error", param: str | None = "None") -> dict[str, Any]:
    """E1 of who is refused at the door."""
    return {"error": {"message": message, "type": kind, "param": param, "code": str(status)}}


BLOCKED = "Authentication Error, {} is blocked. Update via `/{}/unblock` if you're an admin."


@pytest.mark.parametrize(
    ("act", "status", "body"),
    [
        (("POST", "/team/block", {"team_id": "acme-dev"}), 401, auth(BLOCKED.format("Team=acme-dev", "team"))),
        (
            ("PATCH", "/organization/update", {"organization_id": "org_acme", "blocked": True}),
            401,
            auth(BLOCKED.format("Organization=org_acme", "organization")),
        ),
        (
            ("POST", "/api/teams/acme-dev/suspend", None),
            403,
            auth("Team access suspended - contact support", 403, kind="team_suspended"),
        ),
        (
            ("POST", "/api/teams/acme-dev/pause", None),
            403,
            auth("Team access temporarily paused", 403, kind="team_paused"),
        ),
        (
            ("PUT", "/api/organizations/org_acme/status", {"status": "suspended"}),
            403,
            auth("Organization access suspended - contact support", 403, kind="organization_suspended"),
        ),
    ],
)
def test_what_a_key_belongs_to(act: tuple[str, str, Any], status: int, body: dict[str, Any]) -> None:
    assert call(*act).status == 200
    answer = ask("team")
    assert (answer.status, answer.body) == (status, body)


def test_a_blocked_key() -> None:
    call("POST", "/key/block", {"key": _strings["ana"]})
    answer = ask("ana")
    assert (answer.status, answer.body) == (401, auth(BLOCKED.format("Key", "key")))


def test_who_looks_on_does_so_while_it_is_suspended() -> None:
    """By a user's key, and only by LiteLLM's API; nobody's key does nothing then (Q-10, Q-11)."""
    string = call("POST", "/key/generate", {"team_id": "acme-dev", "user_id": "ana"}).body["key"]
    for act in (
        ("POST", "/api/teams/acme-dev/suspend", None),
        ("PUT", "/api/organizations/org_acme/status", {"status": "suspended"}),
    ):
        assert call(*act).status == 200
        assert call("GET", "/key/info", caller=key(string)).status == 200
        assert call("POST", "/key/update", {"key": string}, caller=key(string)).status == 403
        assert call("GET", "/api/teams/acme-dev", caller=key(string)).status == 403
        assert ask("team").status == 403


ONLY_ADMIN = (
    "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. "
    "Route={route}. Your role={role}. Your user_id={user}"
)
VIEWER = "user not allowed to access this route, role= proxy_admin_viewer. Trying to access: {route}"


@pytest.mark.parametrize("route", ["/budget/new", "/team/new", "/user/new", "/customer/new", "/model/new"])
def test_roles_that_may_not(route: str) -> None:
    """Always in the same shape, and before the body is looked at."""
    viewer = ask("vic", "POST", route, "{broken")
    assert (viewer.status, viewer.body) == (403, auth(VIEWER.format(route=route), 403))
    for name, role in (("uma", "internal_user"), ("una", "internal_user_viewer")):
        user = ask(name, "POST", route, "{broken")
        message = ONLY_ADMIN.format(route=route, role=role, user=name)
        assert (user.status, user.body) == (401, auth(message))


def test_a_store_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise StoreUnavailableError("The data store did not answer; try again")

    monkeypatch.setattr(keys, "find", fails)
    message = "The data store did not answer; try again"
    shown = call("GET", "/key/info", query={"key": "0" * 64})
    blocked = call("POST", "/key/block", {"key": "0" * 64})
    assert (shown.status, shown.body) == (503, e1(f"{{'error': {message!r}}}", 503, "store_unavailable"))
    assert (blocked.status, blocked.body) == (503, e2(message))
    assert shown.headers["retry-after"] == blocked.headers["retry-after"] == "1"


# What is not there, what is there already, and what is no value


@dataclass(frozen=True)
class Refusal:
    """One row; ``by_80`` is the body under profile 1.80 where that differs."""

    method: str
    path: str
    sent: dict[str, Any]
    status: int
    body: Any
    by_80: Any
    status_80: int | None = None
    query: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status} {list(self.sent) or list(self.query)}"


def e1(message: str, status: int, kind: str = "internal_server_error", param: str | None = None) -> dict[str, Any]:
    return auth(message, status, kind=kind, param=param)


def quoted(message: str, status: int, param: str | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """E1 around an object, as 1.106 and as 1.80 write it."""
    text = f"{{'error': {message!r}}}"
    return e1(text, status, param=param), e1(text, status, param=param or "None")


def e2(message: str) -> dict[str, Any]:
    return {"detail": {"error": message}}


def row(method: str, path: str, sent: dict[str, Any], status: int, bodies: Any, **more: Any) -> Refusal:
    body, by_80 = bodies if isinstance(bodies, tuple) else (bodies, bodies)
    return Refusal(method, path, sent, status, body, by_80, **more)


NO_TEAM = "Team not found, passed team_id=no"
DURATION = "Invalid budget_duration 'x'. Use a format like '1h', '24h', '7d', or '30d'."
NEGATIVE = "max_budget must be a non-negative finite number. Received: -1.0"
ROWS = [
    row("GET", "/team/info", {}, 404, auth("{'message': 'Team not found, passed team id: no.'}", 404), query={"team_id": "no"}),
    row("POST", "/team/update", {"team_id": "no"}, 404, quoted(NO_TEAM, 404)),
    row("POST", "/team/delete", {"team_ids": ["no"]}, 404, e2(NO_TEAM)),
    row("POST", "/team/block", {"team_id": "no"}, 404, e2(NO_TEAM)),
    row("POST", "/team/member_add", {"team_id": "no", "member": {"role": "user", "user_id": "ana"}}, 404, e2(NO_TEAM)),
    row("POST", "/team/member_delete", {"team_id": "no", "user_id": "ana"}, 400, e2("Team id=no does not exist in db")),
    row("GET", "/key/info", {}, 404, e1("Key not found in database", 404, "not_found_error", "key"), query={"key": "0" * 64}),
    row("POST", "/key/update", {"key": "0" * 64}, 404, auth("Key not found.", 404, kind="not_found_error", param="key")),
    row("POST", "/key/delete", {"keys": ["0" * 64]}, 404, quoted("No keys found", 404)),
    row("POST", "/key/regenerate", {"key": UNKNOWN_KEY}, 404, e1("Key sk-...-key not found.", 404, "not_found_error", "key")),
    row("POST", "/user/delete", {"user_ids": ["no"]}, 404, e2("User not found, passed user_id=no")),
    row("GET", "/organization/info", {}, 404, e2("Organization not found"), query={"organization_id": "no"}),
    row("DELETE", "/organization/delete", {"organization_ids": ["no"]}, 404, e2("Organization=no not found")),
    row("PATCH", "/organization/update", {"organization_id": "no"}, 404, e2("Organization not found")),
    row("POST", "/budget/update", {"budget_id": "no"}, 404, e2("Budget not found, passed budget_id=no")),
    row("POST", "/team/new", {"team_id": "acme-dev"}, 400, quoted("Team id = acme-dev already exists. Please use a different team id.", 400)),
    row("POST", "/team/new", {"organization_id": "no"}, 400, quoted("Organization not found for organization_id=no", 400)),
    row("POST", "/key/generate", {"key_alias": "taken"}, 400, e1("Key with alias 'taken' already exists. Unique key aliases across all keys are required.", 400, "bad_request_error", "key_alias")),
    row("GET", "/user/info", {}, 404, (e1("User no not found", 404), e1("User no not found", 404, param="None")), query={"user_id": "no"}),
    row("POST", "/user/new", {"user_id": "ana"}, 409, quoted("User with id ana already exists", 409)),
    row("POST", "/user/new", {"user_email": "ana@example.com"}, 409, (quoted("User with email ana@example.com already exists", 409)[0], quoted("User with email ana@example.com already exists", 400)[1]), status_80=400),
    row("GET", "/customer/info", {}, 404, e1("End User Id=no does not exist in db", 404, "not_found", "end_user_id"), query={"end_user_id": "no"}),
    row("POST", "/customer/new", {"user_id": "taken"}, 400, e1("Customer already exists, passed user_id=taken. Please pass a new user_id.", 400, "bad_request", "user_id")),
    row("POST", "/budget/new", {"budget_id": "taken"}, 400, e2("Budget with id 'taken' already exists.")),
    row("POST", "/budget/new", {"budget_duration": "x"}, 400, e2(DURATION)),
    row("POST", "/budget/new", {"max_budget": -1}, 400, e2(NEGATIVE)),
    row("POST", "/organization/new", {"organization_alias": "A", "max_budget": -1}, 400, e2(NEGATIVE)),
    row("POST", "/team/new", {"max_budget": -1}, 400, quoted(NEGATIVE, 400)),
    row("POST", "/key/generate", {"budget_duration": "x"}, 400, quoted(DURATION, 400)),
    row("POST", "/key/update", {"key": "0" * 64, "max_budget": -1}, 400, auth(NEGATIVE, 400)),
]  # fmt: skip


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("refusal", ROWS, ids=str)
def test_what_is_refused(refusal: Refusal, name: str) -> None:
    with profile(name):
        body = refusal.sent if refusal.method != "GET" else None
        answer = call(refusal.method, refusal.path, body, query=refusal.query)
    expected = (refusal.status, refusal.body)
    if name == "1.80":
        expected = (refusal.status_80 or refusal.status, refusal.by_80)
    assert (answer.status, answer.body) == expected


def test_other_faults_beside_a_bad_value_are_told_first() -> None:
    """As a list of fields: the contract's 400s come from the endpoint, after its fields were looked at."""
    answer = call("POST", "/budget/new", {"max_budget": -1, "rpm_limit": "many"})
    assert (answer.status, {entry["loc"][1] for entry in answer.body["detail"]}) == (422, {"max_budget", "rpm_limit"})
