"""Members of organizations by LiteLLM's API (contract litellm 1.3, 2.3, Q-07)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.litellm.test_organizations import BUDGET, info, listed, user_in
from tests.support import build
from tests.support.api import MASTER, Answer, call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events
from tests.support.sessions import session_of

NOW = "2026-03-01T12:00:00.000000+00:00"


@pytest.fixture(autouse=True)
def acme(empty_table: None, clock: FakeClock) -> None:
    build.organization()
    build.organization("org_other")


def add(member: Any, organization_id: str = "org_acme", caller: Any = MASTER, **fields: Any) -> Answer:
    body = {"organization_id": organization_id, "member": member} | fields
    return call("POST", "/organization/member_add", body, caller=caller)


def change(caller: Any = MASTER, organization_id: str = "org_acme", **fields: Any) -> Answer:
    return call("PATCH", "/organization/member_update", {"organization_id": organization_id} | fields, caller=caller)


def remove(caller: Any = MASTER, organization_id: str = "org_acme", **fields: Any) -> Answer:
    return call("DELETE", "/organization/member_delete", {"organization_id": organization_id} | fields, caller=caller)


def user_row(user_id: str, email: str | None = None) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "user_alias": None,
        "user_email": email,
        "user_role": "internal_user",
        "models": [],
        "max_budget": None,
        "budget_duration": None,
        "tpm_limit": None,
        "rpm_limit": None,
        "max_parallel_requests": None,
        "created_at": NOW,
        "updated_at": NOW,
    }


def member_row(user_id: str, role: str = "internal_user", email: str | None = None) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "organization_id": "org_acme",
        "user_role": role,
        "spend": 0,
        "budget_id": None,
        "created_at": NOW,
        "updated_at": NOW,
        "user": user_row(user_id, email),
        "user_email": email,
        "litellm_budget_table": None,
    }


def members() -> dict[str, str]:
    return {row["user_id"]: row["user_role"] for row in info("org_acme")["members"]}


def test_one_who_is_a_user_already() -> None:
    build.user("ana", email="ana@example.com")
    answer = add({"role": "org_admin", "user_email": "Ana@Example.com"})
    row = member_row("ana", "org_admin", "ana@example.com")
    assert (answer.status, answer.body) == (
        200,
        {"organization_id": "org_acme", "updated_users": [row["user"]], "updated_organization_memberships": [row]},
    )
    assert info("org_acme")["members"] == [row]
    assert sorted(event["action"] for event in audit_events()[-2:]) == ["member.added", "user.created"]


def test_several_who_become_users_with_a_budget() -> None:
    wanted = [
        {"role": "internal_user", "user_id": "Ben 1", "user_email": "ben@example.com"},
        {"role": "internal_user_viewer", "user_id": "cleo"},
        {"role": "org_admin", "user_email": "dora@example.com"},
    ]
    answer = add(wanted, max_budget_in_organization=5)
    assert answer.status == 200
    shown = answer.body["updated_organization_memberships"]
    (uid,) = [item["uid"] for item in all_items() if item["kind"] == "membership" and item["user_id"] == "Ben 1"]
    table = BUDGET | {"budget_id": f"member-{uid}", "max_budget": 5, "budget_reset_at": None}
    assert shown[0] == member_row("Ben 1", email="ben@example.com") | {
        "budget_id": f"member-{uid}",
        "litellm_budget_table": table,
    }
    assert members() == {"Ben 1": "internal_user", "cleo": "internal_user_viewer", shown[2]["user_id"]: "org_admin"}
    assert len(shown[2]["user_id"]) == 36
    events = [event["action"] for event in audit_events()]
    assert (events.count("user.created"), events.count("member.added")) == (3, 3)


def test_who_is_a_member_already_leaves_a_list_undone() -> None:
    build.user("ana")
    build.member("organization-member", "org_acme", "ana")
    for wanted in (
        [{"role": "org_admin", "user_id": "ben"}, {"role": "org_admin", "user_id": "ana"}],
        [{"role": "org_admin", "user_id": "ben"}, {"role": "internal_user", "user_id": "ben"}],
    ):
        answer = add(wanted)
        assert (answer.status, answer.body) == (
            500,
            {
                "error": {
                    "message": f"Authentication Error, Error adding member={ {'user_id': wanted[1]['user_id'], 'role': wanted[1]['role']} } "
                    "to organization=org_acme: already a member",
                    "type": "auth_error",
                    "param": "None",
                    "code": "500",
                }
            },
        )
    assert members() == {"ana": "internal_user"}


def test_role_and_budget_change_alone() -> None:
    add({"role": "internal_user", "user_id": "ana", "user_email": "ana@example.com"})
    row = change(user_id="ana", max_budget_in_organization=3).body
    assert (row["user_role"], row["litellm_budget_table"]["max_budget"]) == ("internal_user", 3)
    row = change(user_email="ana@example.com", role="org_admin").body
    assert (row["user_role"], row["litellm_budget_table"]["max_budget"]) == ("org_admin", 3)
    answer = change(user_id="ana", max_budget_in_organization=None)
    assert (answer.status, answer.body) == (200, member_row("ana", "org_admin", "ana@example.com"))


def test_an_owner_is_shown_as_an_administrator_and_stays_one() -> None:
    build.user("ana")
    build.member("organization-member", "org_acme", "ana", role="org_owner")
    assert change(user_id="ana", role="org_admin").body["user_role"] == "org_admin"
    (item,) = [item for item in all_items() if item["kind"] == "membership"]
    assert item["role"] == "org_owner"
    answer = change(user_id="ana", role="internal_user")
    assert (answer.status, answer.body) == (
        409,
        {"detail": {"error": "Organization 'org_acme' must keep an owner"}},
    )


def test_removing_gives_the_row_and_ends_the_right_at_once() -> None:
    caller = user_in("org_acme", "org_developer")
    assert [row["organization_id"] for row in call("GET", "/organization/list", caller=caller).body] == ["org_acme"]
    answer = remove(user_id="ana")
    assert (answer.status, answer.body) == (200, member_row("ana"))
    assert call("GET", "/organization/list", caller=caller).body == []
    again = remove(user_id="ana")
    assert (again.status, again.body) == (
        400,
        {"detail": {"error": "Member not found in organization for user_id=ana"}},
    )


@pytest.mark.parametrize(
    ("method", "route", "fields", "status", "message"),
    [
        ("PATCH", "member_update", {"user_id": "no"}, 404, "Member not found in organization for user_id=no"),
        ("PATCH", "member_update", {"user_email": "no@x.y"}, 404, "Member not found in organization for user_email=no@x.y"),
        ("PATCH", "member_update", {"organization_id": "no", "user_id": "a"}, 400, "Organization not found for organization_id=no"),
        ("DELETE", "member_delete", {"organization_id": "no", "user_id": "a"}, 400, "Organization not found for organization_id=no"),
    ],
)  # fmt: skip
def test_what_is_not_there(method: str, route: str, fields: dict[str, Any], status: int, message: str) -> None:
    answer = call(method, f"/organization/{route}", {"organization_id": "org_acme"} | fields)
    assert (answer.status, answer.body) == (status, {"detail": {"error": message}})


def test_an_unknown_organization() -> None:
    answer = add({"role": "org_admin", "user_id": "ana"}, "no")
    error = {
        "message": "Organization not found for organization_id=no",
        "type": "auth_error",
        "param": "None",
        "code": "404",
    }
    assert (answer.status, answer.body) == (404, {"error": error})
    assert not [item for item in all_items() if item["kind"] == "user"]


@pytest.mark.parametrize(
    ("member", "entry_type"),
    [
        ({"role": "proxy_admin", "user_id": "ana"}, "literal_error"),
        ({"role": "org_admin"}, "value_error"),
        ({"user_id": "ana"}, "missing"),
        ({"role": "org_admin", "user_email": "nobody"}, "string_pattern_mismatch"),
    ],
)
def test_what_is_malformed(member: dict[str, Any], entry_type: str) -> None:
    answer = add(member)
    assert answer.status == 422
    assert entry_type in {entry["type"] for entry in answer.body["detail"]}


def test_neither_id_nor_address() -> None:
    answer = change(role="org_admin")
    entry = {
        "type": "value_error",
        "loc": ["body"],
        "msg": "Value error, Either user id or user email must be provided",
    }
    assert (answer.status, answer.body) == (422, {"detail": [entry]})


def test_administrators_manage_the_members_of_their_own() -> None:
    caller = user_in("org_acme", "org_admin")
    assert add({"role": "internal_user", "user_id": "ben"}, caller=caller).status == 200
    assert change(caller, user_id="ben", role="org_admin").body["user_role"] == "org_admin"
    assert remove(caller, user_id="ben").status == 200
    assert members() == {"ana": "org_admin"}


@pytest.mark.parametrize("action", [add, change, remove])
def test_in_the_contract_s_words_for_others(action: Any) -> None:
    caller = user_in("org_acme", "org_admin")
    build.member("organization-member", "org_other", "ana", role="org_viewer")
    route = {add: "member_add", change: "member_update", remove: "member_delete"}[action]
    sent: dict[str, Any] = {"member": {"role": "org_admin", "user_id": "eve"}} if action is add else {"user_id": "eve"}
    answers = {name: action(caller=caller, organization_id=name, **sent) for name in ("org_other", "nobody")}
    words = {
        "nobody": (
            (
                "You do not have a role within the selected organization. Passed organization_id: nobody. "
                "Please contact the organization admin to be assigned a role."
            ),
            "organization_id",
        ),
        "org_other": (
            (
                f"You do not have the required role to perform /organization/{route} in Organization org_other. "
                "Your role is internal_user_viewer in Organization org_other"
            ),
            "user_role",
        ),
    }
    for name, (message, param) in words.items():
        error = {"message": message, "type": "auth_error", "param": param, "code": "401"}
        assert (answers[name].status, answers[name].body) == (401, {"error": error})
    assert not [item for item in all_items() if item["kind"] == "user" and item["user_id"] == "eve"]


def test_nobody_gets_the_platform_s_people_into_his_organization() -> None:
    """A key in their name would have their rights (contract 1.3: 403)."""
    boss = build.admin_user("boss@example.com", role="owner")["user_id"]
    caller = user_in("org_acme", "org_owner")
    message = f"Only platform admins may do this with user '{boss}', who has a platform role"
    answer = add({"role": "internal_user", "user_id": boss}, caller=caller)
    error = {"message": message, "type": "auth_error", "param": "None", "code": "403"}
    assert (answer.status, answer.body) == (403, {"error": error})
    assert add({"role": "internal_user", "user_id": boss}).status == 200
    answer = change(caller, user_id=boss, role="org_admin")
    assert (answer.status, answer.body) == (403, {"detail": {"error": message}})


def test_who_manages_no_organization_does_not_come_in() -> None:
    developer = user_in("org_acme", "org_developer")
    for caller in (developer, key(build.team()["virtual_key"]), session_of(build.user("ben")["user_id"])):
        answer = add({"role": "org_admin", "user_id": "eve"}, caller=caller)
        assert (answer.status, answer.body["error"]["type"]) == (401, "auth_error")
        assert answer.body["error"]["message"].startswith("Authentication Error, Only proxy admin can be used")
    assert members() == {"ana": "internal_user"}


def test_a_key_of_an_administrator_acts_with_his_rights() -> None:
    user_in("org_acme", "org_admin")
    build.team()
    caller = key(build.issued_key("acme-dev", user_id="ana")["virtual_key"])
    assert add({"role": "internal_user", "user_id": "ben"}, caller=caller).status == 200
    assert listed(org_id="org_acme") == ["org_acme"]
    assert members() == {"ana": "org_admin", "ben": "internal_user"}


def test_an_administrator_of_a_team_is_none_of_its_organization() -> None:
    build.team()
    build.user("ana")
    build.member("team-member", "acme-dev", "ana", role="team_admin")
    answer = add({"role": "org_admin", "user_id": "ana"}, caller=session_of("ana"))
    assert (answer.status, answer.body["error"]["param"]) == (401, "organization_id")
    assert members() == {}


def test_a_viewer_of_the_platform_only_looks() -> None:
    viewer = session_of(build.admin_user()["user_id"])
    message = "user not allowed to access this route, role= proxy_admin_viewer. Trying to access: "
    for answer, route in (
        (add({"role": "org_admin", "user_id": "ana"}, caller=viewer), "member_add"),
        (change(viewer, user_id="ana", role="org_admin"), "member_update"),
        (remove(viewer, user_id="ana"), "member_delete"),
    ):
        assert (answer.status, answer.body["error"]["message"]) == (403, f"{message}/organization/{route}")
    assert info("org_acme", caller=viewer)["members"] == []
