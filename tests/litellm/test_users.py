"""Users by LiteLLM's API: made, changed, looked at, deleted (contract litellm 1.5, Q-21, Q-25, Q-41)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import build
from tests.support.api import Answer, call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, put_raw, raw_items
from tests.support.profiles import profile
from tests.support.sessions import cheap_passwords, log_in
from tollgate.core.errors import StoreUnavailableError
from tollgate.tenants import new_users as tenants_new_users
from tollgate.tenants import users as tenants_users
from tollgate.users import memberships
from tollgate.users import repository as users
from workers import offboard

NOW = "2026-03-01T12:00:00.000000+00:00"
ROW = {
    "user_alias": None,
    "user_email": None,
    "user_role": "internal_user",
    "sso_user_id": None,
    "team_id": None,
    "organization_id": None,
    "teams": [],
    "organizations": [],
    "models": [],
    "blocked": False,
    "access_expires_at": None,
    "allowed_model_region": None,
    "allowed_model_max_input_tokens": None,
    "allowed_model_max_output_tokens": None,
    "spend": 0,
    "model_spend": {},
    "max_budget": None,
    "soft_budget": None,
    "budget_duration": None,
    "budget_reset_at": None,
    "budget_id": None,
    "temp_budget_increase": None,
    "temp_budget_expiry": None,
    "tpm_limit": None,
    "rpm_limit": None,
    "tpd_limit": None,
    "max_parallel_requests": None,
    "model_max_budget": {},
    "model_rpm_limit": None,
    "model_tpm_limit": None,
    "allowed_cache_controls": [],
    "metadata": {},
    "object_permission": None,
    "object_permission_id": None,
    "created_at": NOW,
    "updated_at": NOW,
}
NO_KEY = {
    "key": None,
    "key_name": None,
    "key_alias": None,
    "token": None,
    "token_id": None,
    "expires": None,
    "aliases": {},
    "config": None,
    "permissions": None,
    "tags": [],
    "guardrails": None,
    "prompts": None,
    "enforced_params": None,
}


_items: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def tenants(empty_table: None, clock: FakeClock) -> None:
    """Two of them, made through the API once and from memory after that."""
    if _items:
        put_raw(_items)
        return
    build.organization()
    build.team()
    build.organization("org_other")
    build.team("other-dev", "org_other")
    _items.extend(raw_items())


def new(**fields: Any) -> Answer:
    return call("POST", "/user/new", fields)


def update(**fields: Any) -> Answer:
    return call("POST", "/user/update", fields)


def info(user_id: str) -> Answer:
    return call("GET", "/user/info", query={"user_id": user_id})


def row_of(user_id: str) -> dict[str, Any]:
    row: dict[str, Any] = done(call("GET", "/v2/user/info", query={"user_id": user_id}))
    return row


def done(answer: Answer) -> Any:
    assert answer.status == 200, answer.text
    return answer.body


def e1(message: str, kind: str, status: int, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": str(status)}}


def test_a_user_alone() -> None:
    made = done(new(user_id="Ana 1", auto_create_key=False))
    assert made == ROW | NO_KEY | {"user_id": "Ana 1"}
    assert row_of("Ana 1") == ROW | {"user_id": "Ana 1"}
    assert not [item for item in all_items() if item["kind"] == "key" and item.get("user_id") == "Ana 1"]
    assert len(done(new(auto_create_key=False))["user_id"]) == 36


def test_everything_that_can_be_said_is_shown() -> None:
    sent = {
        "user_id": "ana",
        "user_email": "Ana@Example.com",
        "user_alias": "Ana",
        "user_role": "internal_user_viewer",
        "sso_user_id": "sso|ana",
        "models": ["fast", "openai/*"],
        "duration": "30d",
        "allowed_model_region": "eu",
        "allowed_model_max_input_tokens": 2000,
        "allowed_model_max_output_tokens": 500,
        "max_budget": 10,
        "soft_budget": 5,
        "budget_duration": "1mo",
        "tpm_limit": 100,
        "rpm_limit": 10,
        "tpd_limit": 1000,
        "max_parallel_requests": 2,
        "model_max_budget": {"fast": {"budget_limit": 1, "time_period": "1d"}},
        "metadata": {"cost_center": 7, "model_rpm_limit": {"fast": 3}},
        "allowed_cache_controls": ["no-store"],
        "object_permission": {"vector_stores": ["docs"]},
    }
    made = done(new(**sent, auto_create_key=False))
    assert len(made["object_permission_id"]) == 26
    row = {name: value for name, value in made.items() if name not in NO_KEY}
    expected = ROW | {name: value for name, value in sent.items() if name != "duration"}
    expected |= {
        "user_email": "ana@example.com",
        "access_expires_at": "2026-03-31T12:00:00.000000+00:00",
        "budget_reset_at": "2026-04-01T00:00:00.000000+00:00",
        "model_rpm_limit": {"fast": 3},
        "model_spend": {"fast": 0},
    }
    for name in ("object_permission", "object_permission_id"):
        expected[name] = row[name]
    assert row == expected
    assert row["object_permission"]["vector_stores"] == ["docs"]
    assert row_of("ana") == row
    native = call("GET", "/api/budgets/user/ana").body
    assert (native["max_budget"], native["rpm_limit"], native["model_rpm_limit"]) == (10, 10, {"fast": 3})


def test_a_key_is_made_with_him() -> None:
    made = done(
        new(
            user_id="ana",
            key_alias="first",
            duration="1h",
            aliases={"quick": "fast"},
            permissions={"a": True},
            tags=["batch"],
            max_budget=3,
            models=["fast"],
            rpm_limit=5,
        )
    )
    assert made["key"].startswith("sk-")
    assert made["key_name"] == f"sk-...{made['key'][-4:]}"
    assert made["expires"] == "2026-03-01T13:00:00.000000+00:00" == made["access_expires_at"]
    assert (made["max_budget"], made["models"], made["rpm_limit"]) == (3, ["fast"], 5)
    shown = done(call("GET", "/key/info", query={"key": made["key"]}))["info"]
    assert (shown["user_id"], shown["team_id"], shown["organization_id"]) == ("ana", None, None)
    assert (shown["key_alias"], shown["aliases"], shown["tags"]) == ("first", {"quick": "fast"}, ["batch"])
    # What the user is limited by, he is limited by once.
    assert (shown["max_budget"], shown["models"], shown["rpm_limit"]) == (None, [], None)
    assert done(call("GET", "/user/info", caller=key(made["key"])))["user_id"] == "ana"


def test_his_places_are_made_with_him() -> None:
    teams = [{"team_id": "acme-dev", "max_budget_in_team": 4, "user_role": "admin"}, "other-dev"]
    made = done(new(user_id="ana", teams=teams, team_id="acme-dev", organizations=["org_acme"]))
    assert (made["teams"], made["team_id"]) == (["acme-dev", "other-dev"], None)
    assert (made["organizations"], made["organization_id"]) == (["org_acme"], "org_acme")
    shown = done(info("ana"))
    assert [team["team_id"] for team in shown["teams"]] == ["acme-dev", "other-dev"]
    acme, other = (team["team_memberships"] for team in shown["teams"])
    assert [(one["user_id"], one["litellm_budget_table"]["max_budget"]) for one in acme] == [("ana", 4)]
    assert [(one["user_id"], one["litellm_budget_table"]) for one in other] == [("ana", None)]
    assert shown["user_info"] == row_of("ana")
    (own,) = shown["keys"]
    assert (own["token"], own["team_id"]) == (made["token"], "acme-dev")
    row = done(call("GET", "/team/info", query={"team_id": "acme-dev"}))["team_info"]
    assert row["members_with_roles"] == [{"role": "admin", "user_id": "ana", "user_email": None}]


def test_more_places_than_one_transaction_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenants_new_users, "_AT_ONCE", 2)
    monkeypatch.setattr(tenants_users, "_AT_ONCE", 2)
    names = ["org_acme", "org_other"]
    made = done(new(user_id="ana", organizations=names, teams=["acme-dev", "other-dev"]))
    for _ in range(2):
        done(call("POST", "/key/generate", {"user_id": "ana"}))
    assert (made["organizations"], made["teams"]) == (names, ["acme-dev", "other-dev"])
    assert sorted(row_of("ana")["organizations"]) == names
    assert done(call("POST", "/user/delete", {"user_ids": ["ana"]})) == 1
    assert not [item for item in all_items() if item["kind"] in {"membership", "user", "user_email"}]
    assert {item["status"] for item in all_items() if item.get("user_id") == "ana"} == {"revoked"}


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"teams": ["acme-dev", "nope"]}, 404, "{'error': 'Team not found, passed team_id=nope'}"),
        ({"organizations": ["nope"]}, 400, "{'error': 'Organization not found for organization_id=nope'}"),
        ({"duration": "soon"}, 400, None),
        ({"budget_id": "nope"}, 400, "{'error': \"Unknown budget 'nope'\"}"),
        ({"key_alias": "taken"}, 400, None),
    ],
)
def test_what_cannot_be_made_leaves_nothing(fields: dict[str, Any], status: int, message: str | None) -> None:
    done(call("POST", "/key/generate", {"key_alias": "taken"}))
    before = all_items()
    answer = new(user_id="ana", user_email="ana@example.com", **fields)
    assert answer.status == status
    if message is not None:
        param = "budget_id" if "budget_id" in fields else None
        assert answer.body == e1(message, "internal_server_error", status, param)
    assert [item for item in all_items() if item not in before] == []


@pytest.mark.parametrize(("name", "address"), [("1.106", 409), ("1.80", 400)])
def test_what_is_taken(name: str, address: int) -> None:
    done(new(user_id="ana", user_email="ana@example.com", sso_user_id="s-1", auto_create_key=False))
    param = "None" if name == "1.80" else None
    with profile(name):
        for fields, status, who in (
            ({"user_id": "ana"}, 409, "id ana"),
            ({"user_email": "ANA@example.com"}, address, "email ana@example.com"),
            ({"sso_user_id": "s-1"}, address, "sso_user_id s-1"),
        ):
            answer = new(**fields)
            message = f"{{'error': 'User with {who} already exists'}}"
            assert (answer.status, answer.body) == (status, e1(message, "internal_server_error", status, param))
        done(new(user_id="ben", auto_create_key=False))
        taken = update(user_id="ben", user_email="ana@example.com")
        message = "User with email ana@example.com already exists"
        assert (taken.status, taken.body) == (address, e1(message, "auth_error", address, "None"))


@pytest.mark.parametrize("role", ["org_admin", "team", "owner"])
def test_a_role_that_there_is_not(role: str) -> None:
    answer = new(user_role=role)
    (entry,) = answer.body["detail"]
    assert (answer.status, entry["type"], entry["loc"]) == (422, "literal_error", ["body", "user_role"])


def test_only_what_is_sent_changes_and_null_clears() -> None:
    sent = {
        "user_email": "ana@example.com",
        "models": ["fast"],
        "max_budget": 5,
        "metadata": {"a": 1},
        "duration": "1d",
    }
    done(new(user_id="ana", sso_user_id="s-1", auto_create_key=False, **sent))
    before = row_of("ana")
    changed = done(update(user_id="ana", user_alias="Ana", rpm_limit=7))
    assert changed == {"user_id": "ana", "data": before | {"user_alias": "Ana", "rpm_limit": 7}}
    nothing = dict.fromkeys(("user_email", "max_budget", "metadata", "duration", "rpm_limit", "sso_user_id"))
    cleared = done(update(user_id="ana", models=[], **nothing))["data"]
    assert cleared == ROW | {"user_id": "ana", "user_alias": "Ana"} == row_of("ana")
    # Address and identity provider's id are free again.
    done(new(user_id="ben", user_email="ana@example.com", sso_user_id="s-1"))


def test_an_address_says_who_is_meant() -> None:
    done(new(user_id="ana", user_email="ana@example.com", auto_create_key=False))
    assert done(update(user_email="ANA@example.com", max_budget=2))["user_id"] == "ana"
    assert row_of("ana")["max_budget"] == 2
    made = done(update(user_email="new@example.com", max_budget=3))
    assert made["data"] == ROW | {"user_id": made["user_id"], "user_email": "new@example.com", "max_budget": 3}
    unknown = update(user_id="nobody", max_budget=2)
    message = "User not found, passed user_id=nobody"
    assert (unknown.status, unknown.body) == (404, e1(message, "auth_error", 404, "None"))
    unnamed = update(max_budget=2)
    message = "Either user_id or user_email must be provided"
    assert (unnamed.status, unnamed.body) == (400, e1(message, "auth_error", 400, "None"))


def test_who_is_blocked_is_switched_off_everywhere() -> None:
    made = done(new(user_id="ana", user_role="proxy_admin_viewer"))
    own = key(made["key"])
    assert call("GET", "/user/info", caller=own).status == 200
    assert done(update(user_id="ana", blocked=True))["data"]["blocked"] is True
    assert call("GET", "/user/info", caller=own).status == 401
    assert call("GET", "/api/admin-users/ana").body["is_active"] is False
    call("PUT", "/api/admin-users/ana", {"is_active": True})
    assert row_of("ana")["blocked"] is False
    assert call("GET", "/user/info", caller=own).status == 200


def test_his_spend_is_set() -> None:
    made = done(new(user_id="ana", max_budget=10, spend=2.5))
    assert made["spend"] == 2.5
    assert done(update(user_id="ana", spend=1))["data"]["spend"] == 1
    assert call("GET", "/api/budgets/user/ana").body["spend"] == 1


def test_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_passwords(monkeypatch)
    done(new(user_id="ana", user_email="ana@example.com", password="correct horse"))
    assert log_in("ana@example.com").status == 200
    assert "correct horse" not in str(all_items())
    done(update(user_id="ana", password="another horse"))
    assert log_in("ana@example.com").status == 401
    assert log_in("ana@example.com", "another horse").status == 200


def test_object_permissions_are_merged_and_cleared() -> None:
    made = done(new(user_id="ana", object_permission={"vector_stores": ["a"]}, auto_create_key=False))
    changed = done(update(user_id="ana", object_permission={"mcp_servers": ["m"]}))["data"]
    assert changed["object_permission_id"] == made["object_permission_id"]
    assert (changed["object_permission"]["vector_stores"], changed["object_permission"]["mcp_servers"]) == (
        ["a"],
        ["m"],
    )
    assert done(update(user_id="ana", object_permission={}))["data"] == ROW | {"user_id": "ana"}
    assert "object_permission" not in {item["kind"] for item in all_items()}


def test_every_change_is_told_to_the_audit_log() -> None:
    done(new(user_id="ana", max_budget=1, password="correct horse", auto_create_key=False))
    done(update(user_id="ana", max_budget=2, user_role="proxy_admin_viewer"))
    created, updated = (event for event in audit_events() if event["resource_id"] == "ana")
    assert (created["action"], json.loads(created["after"])) == (
        "user.created",
        {"user_id": "ana", "role": "member", "max_budget": 1},
    )
    assert (updated["action"], json.loads(updated["before"]), json.loads(updated["after"])) == (
        "user.updated",
        {"max_budget": 1, "role": "member"},
        {"max_budget": 2, "role": "platform_viewer"},
    )


def test_deletion_leaves_nothing() -> None:
    made = done(new(user_id="ana", user_email="ana@example.com", sso_user_id="s-1", teams=["acme-dev"], max_budget=1))
    alone = done(new(user_id="ben", organizations=["org_acme"], key_alias="bens"))
    stays = done(new(user_id="eve", teams=["acme-dev"]))
    assert done(call("POST", "/user/delete", {"user_ids": ["ana", "ben", "ana"]})) == 2
    left = [item for item in all_items() if item.get("user_id") in {"ana", "ben"}]
    assert {item["kind"] for item in left} == {"key"}
    assert {item["status"] for item in left} == {"revoked"}
    assert not [item for item in all_items() if item["PK"].startswith(("EMAIL#", "SSO#"))]
    for gone in (made, alone):
        assert call("GET", "/user/info", caller=key(gone["key"])).status == 401
    members = done(call("GET", "/team/info", query={"team_id": "acme-dev"}))["team_info"]["members_with_roles"]
    assert [member["user_id"] for member in members] == ["eve"]
    assert call("GET", "/user/info", caller=key(stays["key"])).status == 200
    # The id is free again, and what its former owner had is not his.
    again = done(new(user_id="ana", key_alias="bens"))
    assert (again["teams"], again["user_email"]) == ([], None)
    assert [one["token"] for one in done(info("ana"))["keys"]] == [again["token"]]


def test_all_are_deleted_or_none() -> None:
    done(new(user_id="ana", auto_create_key=False))
    build.user("olga")
    build.member("organization-member", "org_acme", "olga", role="org_owner")
    before = all_items()
    answer = call("POST", "/user/delete", {"user_ids": ["ana", "nobody"]})
    assert (answer.status, answer.body) == (404, {"detail": {"error": "User not found, passed user_id=nobody"}})
    kept = call("POST", "/user/delete", {"user_ids": ["ana", "olga"]})
    assert (kept.status, kept.body) == (409, {"detail": {"error": "Organization 'org_acme' must keep an owner"}})
    assert all_items() == before
    assert call("POST", "/user/delete", {"user_ids": [f"u{number}" for number in range(501)]}).status == 422


@pytest.mark.parametrize("seconds", [-1.0, 8.0])
def test_a_deletion_that_is_not_done_in_time_goes_on(
    seconds: float, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of time, or out of luck: all are gone at once, and the worker takes away what is left."""

    def fails(*_: Any) -> None:
        raise StoreUnavailableError("The data store did not answer; try again")

    made = done(new(user_id="Ana #1", user_email="ana@example.com", sso_user_id="s-1", teams=["acme-dev"]))
    names = ["Ana #1", done(new(user_id="ben"))["user_id"]]
    with monkeypatch.context() as patched:
        patched.setattr(tenants_users, "_SECONDS", seconds)
        patched.setattr(memberships, "delete", fails)
        patched.setattr(users, "delete", fails)
        assert done(call("POST", "/user/delete", {"user_ids": names})) == 2
    assert call("GET", "/user/info", caller=key(made["key"])).status == 401
    assert [info(name).status for name in names] == [404, 404]
    assert done(call("GET", "/user/list"))["total"] == 0
    assert call("POST", "/user/delete", {"user_ids": names}).status == 404
    # What was his alone is free, the id once nothing is left.
    done(new(user_id="eve", user_email="ana@example.com", sso_user_id="s-1", auto_create_key=False))
    assert new(user_id="Ana #1").status == 409
    assert offboard.handler({}, None) == {"finished": 0, "left": 0}
    clock.advance(seconds=61)
    assert offboard.handler({}, None) == {"finished": 2, "left": 0}
    left = {(item["kind"], item.get("status")) for item in all_items() if item.get("user_id") in names}
    assert left == {("key", "revoked")}
    assert done(new(user_id="Ana #1"))["teams"] == []


def test_many_are_changed_each_on_his_own() -> None:
    done(new(user_id="ana", auto_create_key=False))
    body = {"users": [{"user_id": "ana", "max_budget": 4}, {"user_id": "nobody", "max_budget": 4}]}
    answer = done(call("POST", "/user/bulk_update", body))
    ana = ROW | {"user_id": "ana", "max_budget": 4}
    failed = {"user_id": "nobody", "user_email": None, "success": False, "updated_user": None}
    assert answer == {
        "results": [
            {"user_id": "ana", "user_email": None, "success": True, "error": None, "updated_user": ana},
            failed | {"error": "User not found, passed user_id=nobody"},
        ],
        "total_requested": 2,
        "successful_updates": 1,
        "failed_updates": 1,
    }


def test_all_are_changed_alike() -> None:
    for name in ("ana", "ben"):
        done(new(user_id=name, auto_create_key=False))
    answer = done(call("POST", "/user/bulk_update", {"all_users": True, "user_updates": {"rpm_limit": 9}}))
    assert (answer["total_requested"], answer["successful_updates"]) == (2, 2)
    assert [row_of(name)["rpm_limit"] for name in ("ana", "ben")] == [9, 9]
    for body in ({}, {"all_users": True}, {"users": []}):
        refused = call("POST", "/user/bulk_update", body)
        message = "Must specify either 'users' for individual updates or 'all_users' with 'user_updates'."
        assert (refused.status, refused.body) == (400, {"detail": {"error": message}})


def test_who_is_not_there() -> None:
    for path in ("/user/info", "/v2/user/info"):
        answer = call("GET", path, query={"user_id": "nobody"})
        assert (answer.status, answer.body) == (404, e1("User nobody not found", "internal_server_error", 404))


def test_without_a_name_everybodys_keys_and_teams() -> None:
    made = done(new(user_id="ana"))
    everything = done(call("GET", "/user/info"))
    assert (everything["user_id"], everything["user_info"]) == (None, None)
    assert made["token"] in [one["token"] for one in everything["keys"]]
    assert {team["team_id"] for team in everything["teams"]} == {"acme-dev", "other-dev"}


def test_the_roles_that_there_are() -> None:
    roles = done(call("GET", "/user/available_roles"))
    assert list(roles) == ["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"]
    assert all(set(role) == {"description", "ui_label"} for role in roles.values())


def test_the_owners_of_an_organization_do_not_go_together() -> None:
    for name in ("olga", "otto", "omar"):
        build.user(name)
        build.member("organization-member", "org_acme", name, role="org_owner")
    together = call("POST", "/user/delete", {"user_ids": ["olga", "otto", "omar"]})
    assert (together.status, together.body) == (
        409,
        {"detail": {"error": "Organization 'org_acme' must keep an owner"}},
    )
    assert done(call("POST", "/user/delete", {"user_ids": ["olga", "otto"]})) == 2
    assert call("POST", "/user/delete", {"user_ids": ["omar"]}).status == 409


def test_too_many_to_be_changed_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tollgate.litellm.users.MOST_AT_ONCE", 1)
    for name in ("ana", "ben"):
        done(new(user_id=name, auto_create_key=False))
    answer = call("POST", "/user/bulk_update", {"all_users": True, "user_updates": {"rpm_limit": 9}})
    message = "There are more than 1 users; name them in parts."
    assert (answer.status, answer.body) == (400, {"detail": {"error": message}})
