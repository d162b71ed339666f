"""Keys with limits, users, tags; changing a key; limits inline on teams and organizations (Q-05, Q-20, Q-26)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.budgets import NO_LIMITS
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, put_raw, raw_items
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import InvalidRequestError
from tollgate.keys.model import IssueKey
from tollgate.keys.service import key_service

LIMITS = {
    "max_budget": 5,
    "soft_budget": 4.5,
    "budget_duration": "7d",
    "tpm_limit": 1000,
    "rpm_limit": 10,
    "tpd_limit": 0,
    "max_parallel_requests": 2,
    "model_max_budget": {"fast": {"max_budget": 1, "budget_duration": "1d"}},
    "model_rpm_limit": {"fast": 5},
    "model_tpm_limit": {"fast": 50},
    "allowed_models": ["fast"],
    "temp_budget_increase": 2,
    "temp_budget_expiry": "2026-06-01T00:00:00Z",
    "budget_id": "starter",
}
SHOWN = NO_LIMITS | LIMITS | {"window": "calendar"}


@pytest.fixture(autouse=True)
def acme(empty_table: None, clock: FakeClock) -> dict[str, Any]:
    build.budget("shared", "starter", max_budget=1)
    build.organization()
    return build.team()


def path(key_id: str) -> str:
    return f"/api/teams/acme-dev/keys/{key_id}"


def stored(key_id: str) -> dict[str, Any]:
    (item,) = [item for item in all_items() if item["kind"] == "key" and item["key_id"] == key_id]
    return item


def limits_in(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in NO_LIMITS}


def test_limits_are_accepted_and_shown_inline() -> None:
    issued = build.issued_key(**LIMITS)
    assert limits_in(issued) == SHOWN
    listed = call("GET", "/api/teams/acme-dev/keys").body["keys"]
    assert limits_in(next(entry for entry in listed if entry["key_id"] == issued["key_id"])) == SHOWN
    # A team shows what it may use by its groups, which is nothing here.
    of_team = {"allowed_models": []}
    assert limits_in(build.team("acme-prod", **LIMITS)) == SHOWN | of_team
    assert limits_in(build.organization("org_new", **LIMITS)) == SHOWN
    for method_path, own in (("/api/teams/acme-dev", of_team), ("/api/organizations/org_acme", {})):
        assert limits_in(call("PUT", method_path, LIMITS).body) == SHOWN | own
        assert limits_in(call("GET", method_path).body) == SHOWN | own
        cleared = limits_in(call("PUT", method_path, dict.fromkeys(LIMITS)).body)
        assert cleared | {"budget_id": None} == NO_LIMITS | own | {"budget_id": None}
    assert call("GET", "/api/budgets/shared/starter").body["uses"] == 3


def test_a_change_of_limits_is_told_before_and_after() -> None:
    call("PUT", "/api/teams/acme-dev", {"max_budget": 5, "tags": ["a"]})
    call("PUT", "/api/teams/acme-dev", {"max_budget": 7.25, "temp_budget_increase": 1, "temp_budget_expiry": None})
    call(
        "PUT",
        "/api/teams/acme-dev",
        {"max_budget": 7.25, "temp_budget_increase": 1, "temp_budget_expiry": "2026-06-01T00:00:00Z"},
    )
    first, second = [event for event in audit_events() if event["action"] == "team.updated"]
    assert (json.loads(first["before"]), json.loads(first["after"])) == (
        {"max_budget": None, "tags": []},
        {"max_budget": 5, "tags": ["a"]},
    )
    assert json.loads(second["before"])["max_budget"] == 5
    assert json.loads(second["after"]) == {
        "max_budget": 7.25,
        "temp_budget_increase": 1,
        "temp_budget_expiry": "2026-06-01T00:00:00Z",
    }


def test_a_key_of_a_user() -> None:
    build.user("ana")
    issued = build.issued_key(user_id="ana", tags=["ci", "ci"], metadata={"a": 1})
    assert (issued["user_id"], issued["tags"], issued["metadata"]) == ("ana", ["ci"], {"a": 1})
    item = stored(issued["key_id"])
    uids = {entry["kind"]: entry["uid"] for entry in all_items() if entry["kind"] in {"user", "organization"}}
    assert (item["user_uid"], item["organization_uid"]) == (uids["user"], uids["organization"])
    unknown = call("POST", "/api/teams/acme-dev/keys", {"user_id": "nobody"})
    message = "Unknown user 'nobody'"
    assert (unknown.status, unknown.body) == (
        422,
        problem(422, "unknown_user", message, errors=[{"field": "user_id", "message": message}]),
    )


def test_an_organization_makes_keys_for_its_own_users_only() -> None:
    """Else it could use up what another tenant's user may spend, and learn who exists."""
    for name in ("ana", "bob", "eve"):
        build.user(name)
    build.member("organization-member", "org_acme", "ana")
    build.member("team-member", "acme-dev", "bob")
    admin = Principal(
        "x", ActorKind.USER, organization_roles=(("org_acme", Role.ORG_ADMIN),), organization_id="org_acme"
    )
    for name in ("ana", "bob"):
        assert key_service().issue(admin, "acme-dev", IssueKey(user_id=name)).user_id == name
    for name in ("eve", "nobody"):
        with pytest.raises(InvalidRequestError, match=f"Unknown user '{name}'"):
            key_service().issue(admin, "acme-dev", IssueKey(user_id=name))


def test_update_changes_what_is_sent(clock: FakeClock) -> None:
    issued = build.issued_key(key_alias="ci", models=["fast"], tags=["a"], metadata={"a": 1}, rpm_limit=1)
    answer = call(
        "PATCH", path(issued["key_id"]), {"key_alias": "cd", "max_budget": 3, "expires_at": "2026-04-01T00:00:00Z"}
    )
    assert answer.status == 200
    expected = {name: value for name, value in issued.items() if name != "virtual_key"} | {
        "key_alias": "cd",
        "max_budget": 3,
        "expires_at": "2026-04-01T00:00:00Z",
    }
    assert answer.body == expected
    sent = {"models": None, "tags": None, "metadata": {"b": 2}, "expires_at": None, "key_alias": None}
    answer = call("PATCH", path(issued["key_id"]), sent)
    assert answer.body == expected | sent | {"tags": []}
    assert call("PATCH", path(issued["key_id"]), {"metadata": None}).body["metadata"] == {}
    assert call("PATCH", path(issued["key_id"]), {}).body == expected | sent | {"tags": [], "metadata": {}}
    events = [event for event in audit_events() if event["action"] == "key.updated"]
    assert (json.loads(events[0]["before"]), json.loads(events[0]["after"])) == (
        {"key_alias": "ci", "max_budget": None, "expires_at": None},
        {"key_alias": "cd", "max_budget": 3, "expires_at": "2026-04-01T00:00:00Z"},
    )


def test_blocking_bites_on_the_next_request() -> None:
    issued = build.issued_key()
    caller = key(issued["virtual_key"])
    assert call("GET", "/api/teams/acme-dev", caller=caller).status == 200
    assert call("PATCH", path(issued["key_id"]), {"blocked": True}).body["blocked"] is True
    refused = call("GET", "/api/teams/acme-dev", caller=caller)
    assert (refused.status, refused.body) == (403, problem(403, "key_blocked", "Key is blocked"))
    call("PATCH", path(issued["key_id"]), {"blocked": None})
    assert call("GET", "/api/teams/acme-dev", caller=caller).status == 200


def test_what_cannot_be_updated() -> None:
    issued = build.issued_key()
    build.team("acme-prod")
    call("DELETE", path(issued["key_id"]))
    revoked = call("PATCH", path(issued["key_id"]), {"rpm_limit": 1})
    assert (revoked.status, revoked.body) == (
        409,
        problem(409, "wrong_state", f"Key '{issued['key_id']}' is revoked"),
    )
    elsewhere = call("PATCH", f"/api/teams/acme-prod/keys/{issued['key_id']}", {"rpm_limit": 1})
    assert (elsewhere.status, elsewhere.body["detail"]) == (404, f"Key '{issued['key_id']}' not found")
    past = call("PATCH", path(build.issued_key()["key_id"]), {"expires_at": "2020-01-01T00:00:00Z"})
    assert (past.status, past.body["errors"][0]["field"]) == (422, "expires_at")


def test_a_key_takes_what_hangs_under_it_along() -> None:
    build.issued_key(metadata={"a": 1}, budget_id="starter")
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    assert [item for item in all_items() if item["PK"].startswith("KEY#")] == []
    assert call("GET", "/api/budgets/shared/starter").body["uses"] == 0


def test_a_key_ends_with_the_access_of_its_user(clock: FakeClock) -> None:
    build.user("ana", access_expires_at="2026-03-02T00:00:00Z")
    caller = key(build.issued_key(user_id="ana")["virtual_key"])
    assert call("GET", "/api/teams/acme-dev", caller=caller).status == 200
    clock.advance(days=1)
    refused = call("GET", "/api/teams/acme-dev", caller=caller)
    assert (refused.status, refused.body["code"]) == (401, "expired_key")


def test_a_key_of_a_deactivated_user_is_blocked() -> None:
    build.user("ana")
    caller = key(build.issued_key(user_id="ana")["virtual_key"])
    (item,) = [item for item in raw_items() if item["kind"]["S"] == "user"]
    put_raw([item | {"is_active": {"BOOL": False}}])
    refused = call("GET", "/api/teams/acme-dev", caller=caller)
    assert (refused.status, refused.body) == (403, problem(403, "user_blocked", "User is blocked"))
