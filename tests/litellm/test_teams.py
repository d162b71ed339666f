"""Teams by LiteLLM's API: the same ones as ``/api/teams`` (contract litellm 1.4, Q-03, Q-06, Q-11, Q-23, Q-25)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import Answer, call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events
from tests.support.sessions import session_of
from tollgate.settings import settings

ROW: dict[str, Any] = {
    "team_alias": None,
    "organization_id": None,
    "admins": [],
    "members": [],
    "members_with_roles": [],
    "team_member_permissions": None,
    "metadata": {},
    "tpm_limit": None,
    "rpm_limit": None,
    "tpd_limit": None,
    "max_parallel_requests": None,
    "max_budget": None,
    "soft_budget": None,
    "budget_duration": None,
    "budget_reset_at": None,
    "budget_id": None,
    "budget_limits": None,
    "model_max_budget": {},
    "models": [],
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
UNKNOWN = "Team not found, passed team_id=nope"


@pytest.fixture(autouse=True)
def at_noon(clock: FakeClock) -> None:
    """Everything happens at the same moment."""


def new(**fields: Any) -> dict[str, Any]:
    row = done(call("POST", "/team/new", fields))
    assert isinstance(row, dict)
    return row


def update(team_id: str, **fields: Any) -> dict[str, Any]:
    answer = done(call("POST", "/team/update", {"team_id": team_id} | fields))
    assert (set(answer), answer["team_id"]) == ({"team_id", "data"}, team_id)
    row: dict[str, Any] = answer["data"]
    return row


def info(team_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = done(call("GET", "/team/info", query={"team_id": team_id}))
    return shown


def done(answer: Answer) -> Any:
    assert answer.status == 200, answer.text
    return answer.body


def e1(status: int, message: str, kind: str = "internal_server_error", param: str | None = None) -> tuple[int, Any]:
    return status, {"error": {"message": message, "type": kind, "param": param, "code": str(status)}}


def admin_of(organization_id: str, user_id: str = "olga") -> dict[str, str]:
    build.user(user_id)
    build.member("organization-member", organization_id, user_id, role="org_admin")
    return session_of(user_id)


def test_a_team_without_organization_and_its_native_side() -> None:
    row = new(
        team_id="Blue Team/1",
        team_alias="Blue",
        models=["fast", "openai/*"],
        max_budget=10,
        rpm_limit=5,
        metadata={"plan": "gold", "model_rpm_limit": {"fast": 3}},
        tags=["batch"],
        team_member_permissions=["/key/generate"],
    )
    assert row == ROW | {
        "team_id": "Blue Team/1",
        "team_alias": "Blue",
        "models": ["fast", "openai/*"],
        "max_budget": 10,
        "rpm_limit": 5,
        "metadata": {"plan": "gold", "model_rpm_limit": {"fast": 3}},
        "tags": ["batch"],
        "team_member_permissions": ["/key/generate"],
    }
    native = call("GET", "/api/teams/Blue%20Team%2F1").body
    wanted = {
        "team_id": "Blue Team/1",
        "organization_id": None,
        "team_alias": "Blue",
        "virtual_key": None,
        "credits_source": "none",
        "model_access": "listed",
        "model_groups": ["fast", "openai/*"],
        "allowed_models": ["fast", "openai/*"],
        "max_budget": 10,
        "model_rpm_limit": {"fast": 3},
        "metadata": {"plan": "gold"},
        "tags": ["batch"],
        "team_member_permissions": ["/key/generate"],
        "blocked": False,
    }
    assert {name: native[name] for name in wanted} == wanted
    assert [team["team_id"] for team in call("GET", "/api/teams", query={"organization_id": "none"}).body["teams"]] == [
        "Blue Team/1"
    ]
    assert [event["action"] for event in audit_events()] == ["team.created"]


def test_nothing_has_to_be_said() -> None:
    row = new()
    assert len(row["team_id"]) == 36
    assert row == ROW | {"team_id": row["team_id"]}
    native = build.team_details(row["team_id"])
    assert (native["model_access"], native["allowed_models"]) == ("all", ["*"])


def test_a_native_team_is_whole_here() -> None:
    build.organization()
    build.alias("fast")
    build.team(model_groups=["fast"], metadata={"a": 1}, max_budget=5)
    build.user("ana", email="ana@example.com")
    build.member("team-member", "acme-dev", "ana", role="team_admin", max_budget=2)
    shown = info("acme-dev")
    (own_key,) = shown.pop("keys")
    assert (own_key["team_id"], "token" in own_key, own_key["key_name"][:6]) == ("acme-dev", False, "sk-...")
    (membership,) = shown.pop("team_memberships")
    table = membership.pop("litellm_budget_table")
    assert membership == {"user_id": "ana", "team_id": "acme-dev", "budget_id": table["budget_id"], "spend": 0}
    assert table["max_budget"] == 2
    assert shown == {
        "team_id": "acme-dev",
        "team_info": ROW
        | {
            "team_id": "acme-dev",
            "team_alias": "acme-dev",
            "organization_id": "org_acme",
            "models": ["fast"],
            "metadata": {"a": 1},
            "max_budget": 5,
            "members_with_roles": [{"role": "admin", "user_id": "ana", "user_email": "ana@example.com"}],
            "team_member_budget_table": None,
        },
    }
    assert done(call("GET", "/team/info", query={"team_id": "acme-dev", "key_limit": "0"}))["keys"] == []


def test_null_clears_absent_keeps_and_lists_are_replaced() -> None:
    new(team_id="a", team_alias="A", max_budget=10, budget_duration="30d", rpm_limit=5, metadata={"a": 1}, models=["x"])
    row = update("a", max_budget=None, budget_duration=None, metadata={"b": 2}, models=["y", "z"], tags=["t"])
    assert row == ROW | {
        "team_id": "a",
        "team_alias": "A",
        "rpm_limit": 5,
        "metadata": {"b": 2},
        "models": ["y", "z"],
        "tags": ["t"],
    }
    assert update("a", team_alias=None, models=[], tags=None)["models"] == []
    assert build.team_details("a")["model_access"] == "all"
    patched = done(call("PATCH", "/team/a", {"rpm_limit": None}))
    assert patched == ROW | {"team_id": "a", "metadata": {"b": 2}}


def test_object_permissions_are_added_to_and_cleared() -> None:
    row = new(team_id="a", object_permission={"vector_stores": ["docs"]})
    permission = row["object_permission"]
    assert (permission["vector_stores"], permission["object_permission_id"]) == (["docs"], row["object_permission_id"])
    more = update("a", object_permission={"agents": ["helper"]})["object_permission"]
    assert (more["vector_stores"], more["agents"]) == (["docs"], ["helper"])
    assert more["object_permission_id"] == row["object_permission_id"]
    cleared = update("a", object_permission={})
    assert (cleared["object_permission"], cleared["object_permission_id"]) == (None, None)
    update("a", object_permission={"agents": ["helper"]})
    done(call("POST", "/team/delete", {"team_ids": ["a"]}))
    assert not [item for item in all_items() if item["kind"] == "object_permission"]


def test_members_are_there_from_the_start() -> None:
    build.user("ana", email="ana@example.com")
    members = [
        {"role": "admin", "user_id": "ana"},
        {"role": "user", "user_email": "New@Example.com"},
        {"role": "user", "user_id": "Zed"},
    ]
    row = new(team_id="a", members_with_roles=members)
    found = {member["user_email"]: member for member in row["members_with_roles"]}
    assert set(found) == {"ana@example.com", "new@example.com", None}
    assert found["ana@example.com"] == members[0] | {"user_email": "ana@example.com"}
    assert found[None] == {"role": "user", "user_id": "Zed", "user_email": None}
    assert len(found["new@example.com"]["user_id"]) == 36


def test_an_organizations_admin_makes_teams_in_his_own_only() -> None:
    build.organization("org_acme")
    build.organization("org_other")
    caller = admin_of("org_acme")
    row = done(call("POST", "/team/new", {"team_id": "a", "organization_id": "org_acme"}, caller=caller))
    assert row["members_with_roles"] == [{"role": "admin", "user_id": "olga", "user_email": None}]
    assert call("GET", "/api/organizations/org_acme").body["team_count"] == 1
    message = (
        "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. "
        "Route=/team/new. Your role=internal_user. Your user_id=olga"
    )
    for organization in ({}, {"organization_id": "org_other"}, {"organization_id": "org_nobody"}):
        answer = call("POST", "/team/new", {"team_id": "b"} | organization, caller=caller)
        assert (answer.status, answer.body) == e1(401, message, "auth_error", "None")


def test_who_pays_is_not_an_organization_admins_to_escape() -> None:
    """Nobody pays for teams of LiteLLM's API (Q-06); in an organization with an account its admins' teams use that."""
    build.organization("org_acme")
    caller = admin_of("org_acme")

    def made(team_id: str, **who: Any) -> str:
        done(call("POST", "/team/new", {"team_id": team_id, "organization_id": "org_acme"}, **who))
        return str(build.team_details(team_id)["credits_source"])

    assert made("a", caller=caller) == "none"
    done(call("POST", "/api/credits/add", {"organization_id": "org_acme", "credits": 5}))
    assert (made("b", caller=caller), made("c")) == ("organization", "none")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"team_id": "a"}, "Team id = a already exists. Please use a different team id."),
        ({"organization_id": "org_nobody"}, "Organization not found for organization_id=org_nobody"),
        ({"max_budget": 5, "soft_budget": 5}, "soft_budget (5) must be lower than max_budget (5)"),
        (
            {"organization_id": "org_acme", "max_budget": 101},
            "Team max_budget (101) exceeds organization's max_budget (100). Organization: org_acme",
        ),
        (
            {"organization_id": "org_acme", "rpm_limit": 8},
            "Team rpm_limit (8) exceeds organization's rpm_limit (7). Organization: org_acme",
        ),
    ],
)
@pytest.mark.parametrize(("profile", "param"), [("1.106", None), ("1.80", "None")])
def test_what_is_refused_at_creation(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], message: str, profile: str, param: str | None
) -> None:
    build.organization("org_acme", max_budget=100, rpm_limit=7)
    new(team_id="a")
    monkeypatch.setenv("LITELLM_COMPAT", profile)
    settings.cache_clear()
    answer = call("POST", "/team/new", fields)
    monkeypatch.undo()
    settings.cache_clear()
    assert (answer.status, answer.body) == e1(400, f"{{'error': {message!r}}}", param=param)


def test_models_of_the_organization_are_the_most_that_a_team_gets() -> None:
    build.organization("org_acme")
    done(call("PATCH", "/organization/update", {"organization_id": "org_acme", "models": ["fast", "slow"]}))
    new(team_id="a", organization_id="org_acme", models=["fast"])
    body = {"team_id": "a", "models": ["slow", "best"]}
    message = "Model 'best' not in organization's allowed models. Allowed: ['fast', 'slow']. Organization: org_acme"
    answer = call("POST", "/team/update", body)
    assert (answer.status, answer.body) == e1(400, f"{{'error': {message!r}}}")
    answer = call("POST", "/team/model/add", body)
    assert (answer.status, answer.body) == (400, {"detail": {"error": message}})
    assert update("a", models=["slow"])["models"] == ["slow"]


@pytest.mark.parametrize("path", ["/team/block", "/team/unblock", "/team/model/add", "/team/permissions_update"])
def test_an_unknown_team(path: str) -> None:
    body = {"team_id": "nope", "models": ["fast"], "team_member_permissions": []}
    answer = call("POST", path, body)
    assert (answer.status, answer.body) == (404, {"detail": {"error": UNKNOWN}})


def test_an_unknown_team_in_other_shapes() -> None:
    answer = call("POST", "/team/update", {"team_id": "nope"})
    assert (answer.status, answer.body) == e1(404, f"{{'error': {UNKNOWN!r}}}")
    answer = call("PATCH", "/team/nope", {"team_alias": "A"})
    assert (answer.status, answer.body) == e1(404, f"{{'error': {UNKNOWN!r}}}")
    answer = call("GET", "/team/info", query={"team_id": "nope"})
    message = "{'message': 'Team not found, passed team id: nope.'}"
    assert (answer.status, answer.body) == e1(404, message, "auth_error", "None")


def test_another_tenants_team_is_not_told_of() -> None:
    """The same for a team that is not there, and for one that is somebody else's (contract 2.4)."""
    build.organization("org_acme")
    build.organization("org_other")
    build.team("other-dev", "org_other")
    caller = admin_of("org_acme")
    for team_id in ("other-dev", "nope"):
        answer = call("GET", "/team/info", query={"team_id": team_id}, caller=caller)
        message = f"User=olga not authorized to access this team={team_id}"
        assert (answer.status, answer.body) == e1(403, message, "auth_error", "None")
        for path in ("/team/block", "/team/member_add", "/team/delete"):
            body = {"team_id": team_id, "team_ids": [team_id], "member": {"role": "user", "user_id": "olga"}}
            answer = call("POST", path, body, caller=caller)
            message = f"Call not allowed. User not proxy admin OR team admin. route={path}, team_id={team_id}"
            assert (answer.status, answer.body) == (403, {"detail": {"error": message}})
    assert build.team_details("other-dev")["blocked"] is False


def test_members_and_keys_of_a_team_see_it_and_change_nothing() -> None:
    build.organization()
    virtual_key = build.team()["virtual_key"]
    build.user("ana")
    build.member("team-member", "acme-dev", "ana")
    build.user("eve")
    for caller in (key(virtual_key), session_of("ana")):
        assert done(call("GET", "/team/info", query={"team_id": "acme-dev"}, caller=caller))["team_id"] == "acme-dev"
        refused = call("POST", "/team/block", {"team_id": "acme-dev"}, caller=caller)
        assert (refused.status, refused.body["error"]["type"]) == (401, "auth_error")
    assert call("GET", "/team/info", query={"team_id": "acme-dev"}, caller=session_of("eve")).status == 403


def test_a_block_is_no_suspension() -> None:
    """Each surface shows both, and ends its own only (Q-11)."""
    build.organization()
    virtual_key = build.team()["virtual_key"]
    assert done(call("POST", "/team/block", {"team_id": "acme-dev"}))["blocked"] is True
    assert build.team_details()["blocked"] is True
    assert call("GET", "/api/teams/verify", caller=key(virtual_key)).body["detail"] == "Team is blocked"
    done(call("POST", "/api/teams/acme-dev/suspend"))
    row = done(call("POST", "/team/unblock", {"team_id": "acme-dev"}))
    assert (row["blocked"], row["status"]) == (False, "suspended")
    assert update("acme-dev", blocked=True)["blocked"] is True
    assert call("PUT", "/api/teams/acme-dev", {"blocked": False}).body["blocked"] is False


def test_deletion_takes_everything_or_nothing() -> None:
    build.organization()
    virtual_key = build.team()["virtual_key"]
    new(team_id="b", members_with_roles=[{"role": "user", "user_id": "ana"}])
    answer = call("POST", "/team/delete", {"team_ids": ["acme-dev", "nope", "b"]})
    assert (answer.status, answer.body) == (404, {"detail": {"error": UNKNOWN}})
    assert call("GET", "/api/teams/verify", caller=key(virtual_key)).status == 200
    assert done(call("POST", "/team/delete", {"team_ids": ["acme-dev", "b", "b"]})) == {
        "deleted_teams": ["acme-dev", "b"]
    }
    assert call("GET", "/api/teams/verify", caller=key(virtual_key)).status == 401
    assert done(call("GET", "/team/list")) == []
    assert not [item for item in all_items() if item["kind"] in {"team", "membership"}]
    assert new(team_id="b")["members_with_roles"] == []


def test_models_are_added_and_taken_away() -> None:
    build.alias("fast")
    build.access_group("acme-models", model_aliases=["fast"])
    new(team_id="a")

    def models(verb: str, *names: str) -> list[str]:
        row = done(call("POST", f"/team/model/{verb}", {"team_id": "a", "models": list(names)}))
        return list(row["models"])

    assert models("add", "fast") == ["all-proxy-models", "fast"]
    assert models("delete", "all-proxy-models") == ["fast"]
    assert models("add", "acme-models", "fast", "gpt-*") == ["acme-models", "fast", "gpt-*"]
    assert build.team_details("a")["access_groups"] == ["acme-models"]
    assert models("delete", "acme-models", "fast", "gpt-*", "unknown") == ["no-default-models"]
    assert build.team_details("a")["model_access"] == "listed"


def test_more_models_than_a_transaction_holds_are_refused() -> None:
    names = [f"model-{number}" for number in range(40)]
    assert new(team_id="a", models=names)["models"] == names
    answer = call("POST", "/team/update", {"team_id": "a", "models": ["x"]})
    message = "At most 40 models can be added and removed at once"
    assert (answer.status, answer.body) == e1(400, f"{{'error': {message!r}}}", param="models")
    answer = call("POST", "/team/new", {"models": [*names, "one more"]})
    assert (answer.status, answer.body["detail"][0]["loc"]) == (422, ["body", "models"])


def test_what_members_may_is_the_team_admins_to_say() -> None:
    build.organization()
    build.team()
    build.user("ana")
    build.member("team-member", "acme-dev", "ana", role="team_admin")
    caller = session_of("ana")
    query = {"team_id": "acme-dev"}
    before = done(call("GET", "/team/permissions_list", query=query, caller=caller))
    assert (before["team_id"], before["team_member_permissions"]) == ("acme-dev", [])
    assert "/key/generate" in before["all_available_permissions"]
    wanted = ["/key/generate", "/key/list"]
    row = done(call("POST", "/team/permissions_update", query | {"team_member_permissions": wanted}, caller=caller))
    assert row["team_member_permissions"] == wanted
    assert done(call("GET", "/team/permissions_list", query=query))["team_member_permissions"] == wanted


def test_a_teams_own_admin_says_how_it_is_called_and_what_members_get() -> None:
    build.organization()
    build.team()
    build.user("ana")
    build.member("team-member", "acme-dev", "ana", role="team_admin")
    caller = session_of("ana")
    own = {
        "team_alias": "Ours",
        "metadata": {"a": 1},
        "team_member_budget": 5,
        "team_member_permissions": ["/key/list"],
    }
    row = done(call("POST", "/team/update", {"team_id": "acme-dev"} | own, caller=caller))["data"]
    assert (row["team_alias"], row["metadata"]["a"]) == ("Ours", 1)
    assert row["team_member_permissions"] == ["/key/list"]
    more = {"max_budget": None, "models": [], "organization_id": "", "blocked": False, "tags": [], "rpm_limit": 1}
    for name, value in more.items():
        refused = call("POST", "/team/update", {"team_id": "acme-dev", "team_alias": "No", name: value}, caller=caller)
        text = f"Call not allowed. Not for team admins: {name}. route=/team/update, team_id=acme-dev"
        message = f"{{'error': '{text}'}}"
        error = {"message": message, "type": "internal_server_error", "param": None, "code": "403"}
        assert (refused.status, refused.body) == (403, {"error": error})
    assert done(call("GET", "/team/info", query={"team_id": "acme-dev"}))["team_info"]["team_alias"] == "Ours"
