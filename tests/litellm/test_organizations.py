"""Organizations by LiteLLM's API: the same ones as ``/api/organizations`` (contract litellm 1.3, Q-08, Q-21, Q-22)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support import build
from tests.support.api import Answer, call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events
from tests.support.sessions import session_of

BUDGET = {
    "max_budget": None,
    "soft_budget": None,
    "max_parallel_requests": None,
    "tpm_limit": None,
    "rpm_limit": None,
    "tpd_limit": None,
    "model_max_budget": {},
    "budget_duration": None,
    "allowed_models": None,
    "temp_budget_increase": None,
    "temp_budget_expiry": None,
    "created_at": "2026-03-01T12:00:00.000000+00:00",
    "created_by": "default_user_id",
    "updated_at": "2026-03-01T12:00:00.000000+00:00",
    "updated_by": "default_user_id",
}
ROW = {
    "spend": 0,
    "metadata": {},
    "models": [],
    "model_spend": {},
    "model_aliases": {},
    "tags": [],
    "blocked": False,
    "status": "active",
    "created_by": "default_user_id",
    "updated_by": "default_user_id",
    "users": None,
    "object_permission": None,
    "object_permission_id": None,
    "created_at": "2026-03-01T12:00:00.000000+00:00",
    "updated_at": "2026-03-01T12:00:00.000000+00:00",
}
PERMISSION = {
    "mcp_servers": [],
    "mcp_access_groups": [],
    "mcp_tool_permissions": None,
    "mcp_toolsets": None,
    "vector_stores": [],
    "agents": [],
    "agent_access_groups": [],
    "models": [],
    "blocked_tools": [],
    "search_tools": [],
    "skills": [],
    "mcp_tool_search_enabled": None,
}


def new(**fields: Any) -> dict[str, Any]:
    return taken(call("POST", "/organization/new", {"organization_alias": "Acme"} | fields))


def update(**fields: Any) -> dict[str, Any]:
    return taken(call("PATCH", "/organization/update", fields))


def info(organization_id: str, **more: Any) -> dict[str, Any]:
    return taken(call("GET", "/organization/info", query={"organization_id": organization_id}, **more))


def listed(**query: str) -> list[str]:
    answer = call("GET", "/organization/list", query=query)
    return [row["organization_id"] for row in answer.body]


def taken(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    row: dict[str, Any] = answer.body
    return row


def own_id(organization_id: str) -> str:
    (item,) = [
        item for item in all_items() if item["kind"] == "organization" and item["organization_id"] == organization_id
    ]
    return f"org-{item['uid']}"


def user_in(organization_id: str, role: str, user_id: str = "ana") -> dict[str, str]:
    """The session of a user who has the role in the organization."""
    build.user(user_id)
    build.member("organization-member", organization_id, user_id, role=role)
    return session_of(user_id)


def test_a_new_organization_and_its_native_side(clock: FakeClock) -> None:
    row = new(
        organization_id="Org A/1",
        max_budget=100.5,
        budget_duration="30d",
        models=["fast", "openai/*"],
        model_aliases={"quick": "fast"},
        tags=["batch"],
        metadata={"plan": "gold"},
        model_rpm_limit={"fast": 5},
        object_permission={"vector_stores": ["docs"], "unknown": 1},
    )
    permission_id = row["object_permission_id"]
    budget_id = own_id("Org A/1")
    reset = datetime.fromisoformat(row["litellm_budget_table"].pop("budget_reset_at"))
    assert (reset.day, reset.hour, reset.tzinfo) == (1, 0, UTC)
    assert row == ROW | {
        "organization_id": "Org A/1",
        "organization_alias": "Acme",
        "budget_id": budget_id,
        "models": ["fast", "openai/*"],
        "model_aliases": {"quick": "fast"},
        "tags": ["batch"],
        "metadata": {"plan": "gold", "model_rpm_limit": {"fast": 5}},
        "object_permission": PERMISSION | {"object_permission_id": permission_id, "vector_stores": ["docs"]},
        "object_permission_id": permission_id,
        "litellm_budget_table": BUDGET
        | {
            "budget_id": budget_id,
            "max_budget": 100.5,
            "budget_duration": "30d",
        },
    }
    native = call("GET", "/api/organizations/Org%20A%2F1").body
    shown = ("name", "metadata", "models", "model_aliases", "tags", "max_budget", "model_rpm_limit", "budget_id")
    assert [native[name] for name in shown] == [
        "Acme",
        {"plan": "gold"},
        ["fast", "openai/*"],
        {"quick": "fast"},
        ["batch"],
        100.5,
        {"fast": 5},
        budget_id,
    ]
    assert [event["action"] for event in audit_events()] == ["organization.created"]


def test_a_native_organization_is_whole_here(clock: FakeClock) -> None:
    build.organization(metadata={"plan": "gold"})
    build.team(max_budget=5, rpm_limit=3)
    build.user("ana", email="ana@example.com")
    build.member("team-member", "acme-dev", "ana", role="team_admin")
    (team,) = info("org_acme").pop("teams")
    assert info("org_acme") == ROW | {
        "organization_id": "org_acme",
        "organization_alias": "Name of org_acme",
        "budget_id": own_id("org_acme"),
        "metadata": {"plan": "gold"},
        "litellm_budget_table": BUDGET | {"budget_id": own_id("org_acme"), "budget_reset_at": None},
        "members": [],
        "teams": [team],
    }
    assert team == {
        "team_id": "acme-dev",
        "team_alias": "acme-dev",
        "organization_id": "org_acme",
        "admins": [],
        "members": [],
        "members_with_roles": [{"role": "admin", "user_id": "ana", "user_email": "ana@example.com"}],
        "team_member_permissions": None,
        "metadata": {},
        "tpm_limit": None,
        "rpm_limit": 3,
        "tpd_limit": None,
        "max_parallel_requests": None,
        "max_budget": 5,
        "soft_budget": None,
        "budget_duration": None,
        "budget_reset_at": None,
        "budget_id": None,
        "budget_limits": None,
        "model_max_budget": {},
        "models": ["no-default-models"],
        "blocked": False,
        "status": "active",
        "tags": [],
        "spend": 0,
        "model_spend": {},
        "model_id": None,
        "litellm_model_table": None,
        "router_settings": None,
        "access_group_ids": None,
        "default_team_member_models": None,
        "model_aliases": {},
        "policies": None,
        "object_permission": None,
        "object_permission_id": None,
        "created_at": "2026-03-01T12:00:00.000000+00:00",
        "updated_at": "2026-03-01T12:00:00.000000+00:00",
    }


def test_an_id_is_made_up() -> None:
    row = new()
    assert len(row["organization_id"]) == 36
    assert row["litellm_budget_table"]["budget_id"] == row["budget_id"]
    assert datetime.fromisoformat(row["created_at"]).utcoffset() is not None


def test_a_shared_budget_row_and_back() -> None:
    build.budget("shared", "Gold Plan", max_budget=50, rpm_limit=5)
    row = new(organization_id="a", budget_id="Gold Plan", rpm_limit=7)
    table = row["litellm_budget_table"]
    assert (row["budget_id"], table["budget_id"], table["max_budget"], table["rpm_limit"]) == (
        "Gold Plan",
        "Gold Plan",
        50,
        7,
    )
    assert update(organization_id="a", budget_id="")["budget_id"] == own_id("a")
    # What was read is sent back: nothing changes.
    again = update(organization_id="a", budget_id=own_id("a"), litellm_budget_table={"max_budget": 3})
    assert (again["budget_id"], again["litellm_budget_table"]["max_budget"]) == (own_id("a"), 3)


def test_null_clears_absent_keeps_and_metadata_is_merged() -> None:
    new(
        organization_id="a",
        max_budget=10,
        rpm_limit=5,
        models=["fast"],
        tags=["batch"],
        metadata={"plan": "gold", "seats": 3},
        model_tpm_limit={"fast": 10},
        object_permission={"vector_stores": ["docs"], "agents": ["x"]},
    )
    first = info("a")
    row = update(
        organization_id="a",
        max_budget=None,
        models=[],
        metadata={"seats": 4},
        object_permission={"agents": []},
    )
    assert (row["litellm_budget_table"]["max_budget"], row["litellm_budget_table"]["rpm_limit"]) == (None, 5)
    assert (row["models"], row["tags"]) == ([], ["batch"])
    assert row["metadata"] == {"plan": "gold", "seats": 4, "model_tpm_limit": {"fast": 10}}
    assert row["object_permission"] == first["object_permission"] | {"agents": []}
    cleared = update(organization_id="a", metadata=None, object_permission={}, tags=None, blocked=None)
    assert (cleared["metadata"], cleared["object_permission"], cleared["tags"]) == (
        {"model_tpm_limit": {"fast": 10}},
        None,
        [],
    )
    assert not [item for item in all_items() if item["kind"] == "object_permission"]


def test_rows_can_be_sent_back_whole() -> None:
    row = new(
        organization_id="a",
        max_budget=10,
        model_max_budget={"fast": {"budget_limit": 2, "time_period": "1d"}},
        model_rpm_limit={"fast": 5},
        temp_budget_increase=1,
        temp_budget_expiry="2030-01-01T00:00:00Z",
    )
    row.pop("object_permission")
    again = taken(call("PATCH", "/organization/update", row))
    changed = {"updated_at", "litellm_budget_table", "members", "teams", "object_permission"}
    assert {name: value for name, value in again.items() if name not in changed} == {
        name: value for name, value in row.items() if name not in changed
    }
    before, after = row["litellm_budget_table"], again["litellm_budget_table"]
    assert {**after, "updated_at": None} == {**before, "updated_at": None}


def test_blocking_bites_on_the_very_next_request() -> None:
    build.organization()
    caller = key(build.team()["virtual_key"])
    assert update(organization_id="org_acme", blocked=True)["blocked"] is True
    answer = call("GET", "/api/teams/acme-dev", caller=caller)
    assert (answer.status, answer.body["detail"]) == (403, "Organization is blocked")
    assert call("PUT", "/api/organizations/org_acme", {"blocked": False}).body["blocked"] is False
    assert call("GET", "/api/teams/acme-dev", caller=caller).status == 200


def test_the_strict_form_by_path() -> None:
    new(organization_id="Org A/1", max_budget=10)
    row = taken(call("PATCH", "/v2/organization/Org%20A%2F1", {"max_budget": None, "organization_alias": "New"}))
    assert (row["organization_alias"], row["litellm_budget_table"]["max_budget"]) == ("New", None)
    strange = call("PATCH", "/v2/organization/Org%20A%2F1", {"max_budgets": 1})
    entry = {"type": "extra_forbidden", "loc": ["body", "max_budgets"], "msg": "Extra inputs are not permitted"}
    assert (strange.status, strange.body) == (422, {"detail": [entry]})
    missing = call("PATCH", "/v2/organization/nope", {"max_budget": 1})
    assert (missing.status, missing.body) == (404, {"detail": {"error": "Organization not found"}})


def test_lists_by_id_and_by_part_of_the_alias(clock: FakeClock) -> None:
    for name in ("a", "b", "c"):
        clock.advance(minutes=1)
        new(organization_id=name, organization_alias=f"Tenant {name.upper()}")
    assert listed() == ["c", "b", "a"]
    assert listed(org_id="b") == ["b"]
    assert listed(org_alias="tenant c") == ["c"]
    assert listed(org_id="b", org_alias="c") == listed(org_id="nope") == []
    rows = call("POST", "/organization/info", {"organizations": ["b", "a", "b"]}).body
    assert [row["organization_id"] for row in rows] == ["b", "a"]


def test_deleting_takes_everything_along_even_what_is_active() -> None:
    build.organization()
    team_key = build.team(credits_allocated=10)["virtual_key"]
    build.user("ana", email="ana@example.com")
    build.member("organization-member", "org_acme", "ana", role="org_admin")
    build.job()
    build.organization("org_other")
    before = [info("org_acme"), info("org_other")]
    answer = call("DELETE", "/organization/delete", {"organization_ids": ["org_acme", "org_other", "org_acme"]})
    assert (answer.status, answer.body) == (200, before)
    assert call("GET", "/api/teams/acme-dev", caller=key(team_key)).status == 401
    assert listed() == []
    again = call("DELETE", "/organization/delete", {"organization_ids": ["org_acme"]})
    assert (again.status, again.body) == (404, {"detail": {"error": "Organization=org_acme not found"}})
    # Both ids are free again.
    assert new(organization_id="org_acme")["organization_id"] == "org_acme"
    assert info("org_acme")["members"] == []


def test_one_unknown_id_keeps_all() -> None:
    build.organization()
    answer = call("DELETE", "/organization/delete", {"organization_ids": ["org_acme", "nope"]})
    assert (answer.status, answer.body) == (404, {"detail": {"error": "Organization=nope not found"}})
    assert listed() == ["org_acme"]


NOT_FOUND = {"error": "Organization not found"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "detail"),
    [
        ("POST", "new", {"organization_id": "taken", "organization_alias": "A"}, 400, "Organization ID already exists: 'taken'"),
        ("POST", "new", {"organization_alias": "A", "budget_id": "no"}, 400, "Unknown budget 'no'"),
        ("PATCH", "update", {"organization_alias": "A"}, 400, "organization_id is required"),
        ("PATCH", "update", {"organization_id": "no", "max_budget": 1}, 404, "Organization not found"),
        ("PATCH", "update", {"organization_id": "taken", "organization_alias": None}, 400, "name may not be null"),
        ("POST", "info", {"organizations": []}, 400, "Specify list of organization id's to query. Passed in=[]"),
        ("POST", "info", {"organizations": ["taken", "no"]}, 404, "Organization not found"),
    ],
)  # fmt: skip
def test_what_is_refused(method: str, path: str, body: dict[str, Any], status: int, detail: str) -> None:
    new(organization_id="taken")
    answer = call(method, f"/organization/{path}", body)
    assert (answer.status, answer.body) == (status, {"detail": {"error": detail}})


@pytest.mark.parametrize(
    ("fields", "location"),
    [
        ({}, ["organization_alias"]),
        ({"organization_alias": "A", "rpm_limit": -1}, ["rpm_limit"]),
        ({"organization_alias": "A", "organization_id": "a\nb"}, ["organization_id"]),
    ],
)
def test_what_is_malformed(fields: dict[str, Any], location: list[str]) -> None:
    answer = call("POST", "/organization/new", fields)
    assert (answer.status, [entry["loc"] for entry in answer.body["detail"]]) == (422, [["body", *location]])


def test_an_unknown_organization_in_a_query() -> None:
    answer = call("GET", "/organization/info", query={"organization_id": "no"})
    assert (answer.status, answer.body) == (404, {"detail": NOT_FOUND})


def test_what_administrators_of_an_organization_may() -> None:
    """Name and metadata of their own, nothing of what limits it, and nothing of others (Q-08)."""
    build.organization()
    build.organization("org_other")
    caller = user_in("org_acme", "org_admin")
    body = {"organization_id": "org_acme", "organization_alias": "Ours", "metadata": {"a": 1}}
    row = taken(call("PATCH", "/organization/update", body, caller=caller))
    assert (row["organization_alias"], row["metadata"], row["updated_by"]) == ("Ours", {"a": 1}, "ana")
    for field in ({"max_budget": 5}, {"models": []}, {"blocked": True}, {"object_permission": {}}, {"tags": []}):
        answer = call("PATCH", "/organization/update", {"organization_id": "org_acme"} | field, caller=caller)
        assert answer.status == 403, field
    for name in ("org_other", "nobody"):
        answer = call("PATCH", "/organization/update", {"organization_id": name, "metadata": {}}, caller=caller)
        refused = {"detail": {"error": "You do not have access to this organization"}}
        assert (answer.status, answer.body) == (403, refused)


@pytest.mark.parametrize("role", ["org_owner", "org_admin", "org_developer", "org_viewer"])
def test_members_see_their_own_organization_only(role: str) -> None:
    build.organization()
    build.organization("org_other")
    caller = user_in("org_acme", role)
    assert info("org_acme", caller=caller)["organization_id"] == "org_acme"
    rows = call("GET", "/organization/list", caller=caller).body
    assert [row["organization_id"] for row in rows] == ["org_acme"]
    assert call("GET", "/organization/list", query={"org_id": "org_other"}, caller=caller).body == []
    for name in ("org_other", "nobody"):
        for answer in (
            call("GET", "/organization/info", query={"organization_id": name}, caller=caller),
            call("POST", "/organization/info", {"organizations": ["org_acme", name]}, caller=caller),
        ):
            refused = {"detail": {"error": "You do not have access to this organization"}}
            assert (answer.status, answer.body) == (403, refused)


def test_who_belongs_nowhere_sees_nothing() -> None:
    build.organization()
    build.user("ben")
    answer = call("GET", "/organization/list", caller=session_of("ben"))
    assert (answer.status, answer.body) == (200, [])


ONLY_ADMINS = [
    ("POST", "/organization/new", {"organization_alias": "A"}),
    ("PATCH", "/v2/organization/org_acme", {"max_budget": 1}),
    ("DELETE", "/organization/delete", {"organization_ids": ["org_acme"]}),
]


@pytest.mark.parametrize(("method", "path", "body"), ONLY_ADMINS, ids=[path for _, path, _ in ONLY_ADMINS])
def test_what_only_the_platform_may(method: str, path: str, body: dict[str, Any]) -> None:
    build.organization()
    service_key = key(build.team()["virtual_key"])
    route = path.replace("org_acme", "org_acme")
    for caller, name in ((user_in("org_acme", "org_owner"), "ana"), (service_key, "None")):
        answer = call(method, path, body, caller=caller)
        assert (answer.status, answer.body) == (
            401,
            {
                "error": {
                    "message": "Authentication Error, Only proxy admin can be used to generate, delete, update info "
                    f"for new keys/users/teams. Route={route}. Your role=internal_user. Your user_id={name}",
                    "type": "auth_error",
                    "param": "None",
                    "code": "401",
                }
            },
        )
    viewer = session_of(build.admin_user()["user_id"])
    answer = call(method, path, body, caller=viewer)
    message = f"user not allowed to access this route, role= proxy_admin_viewer. Trying to access: {route}"
    assert (answer.status, answer.body["error"]["message"]) == (403, message)
    assert len(call("GET", "/organization/list", caller=viewer).body) == 1


def test_members_and_teams_are_with_their_own_organization() -> None:
    for name in ("org_acme", "org_other"):
        build.organization(name)
        for number in (1, 2):
            build.user(f"{name}-{number}")
            build.member("organization-member", name, f"{name}-{number}")
            build.team(f"{name}-team-{number}", name)
    build.organization("org_empty")
    found = {row["organization_id"]: row for row in call("GET", "/organization/list").body}
    for name in ("org_acme", "org_other"):
        assert {row["user_id"] for row in found[name]["members"]} == {f"{name}-1", f"{name}-2"}
        assert {row["team_id"] for row in found[name]["teams"]} == {f"{name}-team-1", f"{name}-team-2"}
    assert (found["org_empty"]["members"], found["org_empty"]["teams"]) == ([], [])
