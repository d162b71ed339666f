"""Who may do what with keys by LiteLLM's API (contract litellm 2.1 to 2.5, Q-09)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.litellm.test_keys import e1, generate, generated, update
from tests.support import build
from tests.support.api import call, key
from tests.support.clock import FakeClock
from tests.support.items import put_raw, raw_items
from tollgate.teams.permissions import GRANTABLE

MEMBER_REFUSED = (
    "Team member does not have permissions for endpoint: {route}. "
    "You only have access to the following endpoints: ['/key/info', '/key/health'] for team acme-dev."
)


_items: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def world(empty_table: None) -> None:
    """Two tenants and some users, made through the API once and from memory after that."""
    if _items:
        put_raw(_items)
    else:
        _make()
        _items.extend(raw_items())


def _make() -> None:
    build.organization()
    build.organization("org_other")
    build.team()
    build.team("other-dev", "org_other")
    for name in ("ana", "ben", "tess", "olga"):
        build.user(name)
    build.member("team-member", "acme-dev", "ana")
    build.member("team-member", "acme-dev", "tess", role="team_admin")
    build.member("organization-member", "org_acme", "olga", role="org_admin")


def of(user_id: str, **fields: Any) -> dict[str, str]:
    """A caller with a personal key of a user."""
    return key(generate(user_id=user_id, **fields)["key"])


def test_a_user_makes_keys_for_himself() -> None:
    row = generate(of("ana"), key_alias="mine")
    assert (row["user_id"], row["team_id"], row["created_by"]) == ("ana", None, "ana")
    other = generated(of("ana"), user_id="ben")
    message = "{'error': 'User can only create keys for themselves. Got user_id=ben, Your ID=ana'}"
    assert (other.status, other.body) == (403, e1(message, "internal_server_error", None, 403))


def test_a_member_makes_no_keys_of_his_team() -> None:
    answer = generated(of("ana"), team_id="acme-dev")
    message = MEMBER_REFUSED.format(route="/key/generate")
    assert (answer.status, answer.body) == (
        401,
        e1(message, "team_member_permission_error", "/key/generate", 401),
    )


@pytest.mark.parametrize("team_id", ["other-dev", "no-such-team"])
def test_whether_another_tenants_team_is_there_is_not_told(team_id: str) -> None:
    for user_id in ("ana", "tess", "olga"):
        answer = generated(of(user_id), team_id=team_id)
        message = f"User {user_id} does not belong to team {team_id}"
        assert (answer.status, answer.body) == (
            401,
            e1(message, "team_member_permission_error", "/key/generate", 401),
        )


@pytest.mark.parametrize("user_id", ["tess", "olga"])
def test_who_manages_a_team_manages_its_keys(user_id: str) -> None:
    caller = of(user_id)
    row = generate(caller, team_id="acme-dev", user_id="ana", max_budget=5)
    assert (row["organization_id"], row["user_id"]) == ("org_acme", "ana")
    assert update(row["token"], caller, max_budget=7).body["max_budget"] == 7
    assert call("POST", "/key/block", {"key": row["token"]}, caller=caller).status == 200
    assert call("POST", f"/key/{row['token']}/reset_spend", {"reset_to": 0}, caller=caller).status == 200
    moved = update(row["token"], caller, team_id="other-dev")
    assert (moved.status, moved.body["error"]["type"]) == (401, "team_member_permission_error")
    assert call("POST", "/key/delete", {"keys": [row["token"]]}, caller=caller).status == 200


def test_only_members_get_keys_of_a_team() -> None:
    answer = generated(of("tess"), team_id="acme-dev", user_id="ben")
    assert (answer.status, answer.body["error"]["param"]) == (400, "user_id")


def test_an_organizations_own_key() -> None:
    row = generate(of("olga"), organization_id="org_acme")
    assert (row["organization_id"], row["team_id"]) == ("org_acme", None)
    for caller, organization_id in ((of("olga"), "org_other"), (of("ana"), "org_acme")):
        assert generated(caller, organization_id=organization_id).status in {403, 404}


def test_anothers_key_is_refused() -> None:
    foreign = generate(team_id="other-dev")
    message = "You are not allowed to access this key's info. Your role=internal_user"
    for user_id in ("ana", "tess", "olga"):
        caller = of(user_id)
        shown = call("GET", "/key/info", query={"key": foreign["token"]}, caller=caller)
        assert (shown.status, shown.body) == (403, e1(message, "internal_server_error", None, 403))
        for path, body in (
            ("/key/update", {"key": foreign["token"], "max_budget": None}),
            ("/key/delete", {"keys": [foreign["token"]]}),
            ("/key/regenerate", {"key": foreign["token"]}),
        ):
            assert call("POST", path, body, caller=caller).status == 403
        assert call("POST", "/v2/key/info", {"keys": [foreign["token"]]}, caller=caller).body == {"key": [], "info": []}


def test_a_member_sees_a_key_of_his_team_and_changes_none() -> None:
    row = generate(team_id="acme-dev")
    caller = of("ana")
    assert call("GET", "/key/info", query={"key": row["token"]}, caller=caller).status == 200
    answer = update(row["token"], caller, max_budget=None)
    message = MEMBER_REFUSED.format(route="/key/update")
    assert (answer.status, answer.body) == (401, e1(message, "team_member_permission_error", "/key/update", 401))


def test_what_others_have_limited_stays_limited() -> None:
    given = generate(user_id="ana", max_budget=5, models=["gpt-4"])
    caller = of("ana")
    assert update(given["token"], caller, key_alias="mine", metadata={"a": 1}).body["key_alias"] == "mine"
    for fields in ({"max_budget": 500}, {"models": []}, {"aliases": {"x": "gpt-5"}}, {"blocked": False}):
        assert update(given["token"], caller, **fields).status == 403
    own = generate(caller)
    assert update(own["token"], caller, max_budget=3).status == 200
    assert call("POST", "/key/block", {"key": own["token"]}).status == 200
    assert update(own["token"], caller, blocked=False).status == 403


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"allowed_routes": ["/user/new"]}, 403),
        ({"permissions": {"get_spend_routes": True}}, 403),
        ({"spend": 1, "max_budget": 2}, 403),
        ({"max_budget": 11}, 400),
        ({"max_budget": 10, "key_type": "llm_api"}, 200),
    ],
)
def test_what_nobody_but_the_platform_gives_away(fields: dict[str, Any], status: int) -> None:
    build.budget("user", "ana", max_budget=10)
    assert generated(of("ana"), **fields).status == status


def test_a_key_is_given_to_nobody_else() -> None:
    caller = of("ana")
    own = generate(caller)
    for fields in ({"user_id": "ben"}, {"user_id": ""}, {"organization_id": "org_other"}):
        assert update(own["token"], caller, **fields).status == 403


def test_who_only_looks_on_makes_nothing() -> None:
    viewer = build.admin_user("vera@example.com")["user_id"]
    build.user("dora", role="member_viewer")
    answer = generated(of(viewer))
    message = "user not allowed to access this route, role= proxy_admin_viewer. Trying to access: /key/generate"
    assert (answer.status, answer.body) == (403, e1(message, "auth_error", "None", 403))
    given = generate(user_id="dora")
    assert generated(of("dora")).status == 403
    assert call("POST", "/key/delete", {"keys": [given["token"]]}, caller=of("dora")).status == 403
    assert call("GET", "/key/info", query={"key": given["token"]}, caller=of("dora")).status == 200


def test_an_old_string_stands_for_its_key_for_a_while(clock: FakeClock) -> None:
    """Through every change of its string; it is no name of a key, and cannot be taken by another."""
    first = generate(user_id="ana", key_alias="mine")["key"]
    second = call("POST", "/key/regenerate", {"key": first, "grace_period": "2h"}).body["key"]
    third = call("POST", "/key/regenerate", {"key": second, "grace_period": "1h"}).body
    for string in (first, second, third["key"]):
        shown = call("GET", "/key/info", caller=key(string))
        assert (shown.status, shown.body["key"]) == (200, third["token"])
    assert call("GET", "/key/info", query={"key": first}).status == 404
    assert call("POST", "/key/delete", {"keys": [first]}).status == 404
    assert call("POST", "/v2/key/info", {"keys": [first, second]}).body == {"key": [], "info": []}
    assert generated(key=first).status == 400
    clock.advance(hours=1)
    assert [call("GET", "/key/info", caller=key(string)).status for string in (first, second)] == [401, 401]
    assert call("GET", "/key/info", caller=key(third["key"])).status == 200


def test_an_old_string_dies_with_its_key() -> None:
    old = generate(user_id="ana")["key"]
    new = call("POST", "/key/regenerate", {"key": old, "grace_period": "30d"}).body["token"]
    assert update(new, blocked=True).status == 200
    assert call("GET", "/key/info", caller=key(old)).status == 401
    assert update(new, blocked=False).status == 200
    assert call("GET", "/key/info", caller=key(old)).status == 200
    assert call("POST", "/key/delete", {"keys": [new]}).status == 200
    assert call("GET", "/key/info", caller=key(old)).status == 401


@pytest.mark.parametrize("period", ["soon", "0d", "-1", "999999999d"])
def test_a_while_is_a_duration(period: str) -> None:
    row = generate()
    refused = call("POST", "/key/regenerate", {"key": row["key"], "grace_period": period})
    message = str({"error": f"Invalid grace_period '{period}'. Use a format like '1h', '24h', '7d', or '30d'."})
    assert (refused.status, refused.body["error"]["param"]) == (400, "grace_period")
    assert refused.body["error"]["message"] == message
    assert call("GET", "/key/info", query={"key": row["token"]}).status == 200


def test_a_teams_own_key_sees_itself() -> None:
    row = generate(team_id="acme-dev")
    sister = generate(team_id="acme-dev")
    caller = key(row["key"])
    assert call("GET", "/key/info", caller=caller).body["info"]["team_id"] == "acme-dev"
    assert call("GET", "/key/info", query={"key": sister["token"]}, caller=caller).status == 403
    assert generated(caller).status == 401


@pytest.mark.parametrize(("key_type", "allowed"), [("llm_api", False), ("read_only", True), ("management", True)])
def test_a_kind_of_key_reaches_its_routes(key_type: str, *, allowed: bool) -> None:
    row = generate(user_id="ana", key_type=key_type)
    answer = call("GET", "/key/list", caller=key(row["key"]))
    if allowed:
        assert answer.status == 200
        return
    message = (
        "Virtual key is not allowed to call this route. Only allowed to call routes: ['llm_api_routes']. "
        "Tried to call route: /key/list"
    )
    assert (answer.status, answer.body) == (403, e1(message, "auth_error", "None", 403))
    assert call("GET", "/api/teams/acme-dev", caller=key(row["key"])).status == 403


def permit(*routes: str) -> None:
    body = {"team_id": "acme-dev", "team_member_permissions": list(routes)}
    assert call("POST", "/team/permissions_update", body).status == 200


def refused(route: str, *granted: str) -> tuple[int, Any]:
    allowed = ["/key/info", "/key/health", *granted]
    message = (
        f"Team member does not have permissions for endpoint: {route}. "
        f"You only have access to the following endpoints: {allowed} for team acme-dev."
    )
    return 401, e1(message, "team_member_permission_error", route, 401)


# What a member sends to use a route on a key of his team.
_USES: dict[str, tuple[str, dict[str, Any]]] = {
    "/key/update": ("/key/update", {"key": "{key}", "tags": ["a"]}),
    "/key/delete": ("/key/delete", {"keys": ["{key}"]}),
    "/key/regenerate": ("/key/{key}/regenerate", {}),
    "/key/block": ("/key/block", {"key": "{key}"}),
    "/key/unblock": ("/key/unblock", {"key": "{key}"}),
    "/key/generate": ("/key/generate", {"team_id": "acme-dev"}),
    "/key/service-account/generate": ("/key/service-account/generate", {"team_id": "acme-dev", "key_alias": "ci"}),
}


def use(route: str, token: str, caller: dict[str, str]) -> Any:
    path, body = _USES[route]
    filled = {name: token if value == "{key}" else value for name, value in body.items()}
    filled |= {"keys": [token]} if "keys" in body else {}
    return call("POST", path.replace("{key}", token), filled, caller=caller)


@pytest.mark.parametrize("granted", _USES)
def test_a_member_may_what_his_team_grants_and_nothing_else(granted: str) -> None:
    """Values that mean nothing are kept and open nothing."""
    token = generate(team_id="acme-dev")["token"]
    caller = of("ana")
    permit(granted, "/team/new", "/nonsense")
    for route in _USES:
        if route != granted:
            answer = use(route, token, caller)
            assert (answer.status, answer.body) == refused(route, granted)
    answer = use(granted, token, caller)
    assert answer.status == 200, answer.text
    if granted.endswith("generate"):
        owner = "ana" if granted == "/key/generate" else None
        assert (answer.body["team_id"], answer.body["user_id"]) == ("acme-dev", owner)


def test_a_pattern_grants_what_it_stands_for() -> None:
    token = generate(team_id="acme-dev")["token"]
    permit("/key/{key_id}/regenerate")
    caller = of("ana")
    assert use("/key/regenerate", token, caller).status == 200
    token = generate(team_id="acme-dev")["token"]
    answer = call("POST", "/key/regenerate", {"key": token, "max_budget": 9}, caller=caller)
    assert (answer.status, answer.body) == refused("/key/update", "/key/regenerate")


def test_a_permitted_member_goes_no_further() -> None:
    """Neither for others, nor past what is not granted, nor out of the team."""
    build.team("acme-ops")
    build.member("team-member", "acme-ops", "ana")
    permit("/key/update", "/key/generate")
    token = generate(team_id="acme-dev", user_id="tess")["token"]
    caller = of("ana")
    other = generated(caller, team_id="acme-dev", user_id="tess")
    message = "{'error': 'User can only create keys for themselves. Got user_id=tess, Your ID=ana'}"
    assert (other.status, other.body) == (403, e1(message, "internal_server_error", None, 403))
    blocked = update(token, caller, blocked=True)
    assert (blocked.status, blocked.body) == refused("/key/block", "/key/generate", "/key/update")
    moved = update(token, caller, team_id="acme-ops")
    assert (moved.status, moved.body["error"]["type"]) == (401, "team_member_permission_error")
    assert update(token, caller, user_id="ana").status == 403
    assert update(token, caller, organization_id="org_other").status == 403
    ben = update(token, of("ben"), tags=["a"])
    assert (ben.status, ben.body["error"]["message"]) == (
        403,
        "You are not allowed to change this key. Your role=internal_user",
    )


def test_what_permissions_are_there() -> None:
    shown = call("GET", "/team/permissions_list", query={"team_id": "acme-dev"}).body
    assert shown == {
        "team_id": "acme-dev",
        "team_member_permissions": [],
        "all_available_permissions": ["/key/info", "/key/health", *GRANTABLE],
    }


def test_members_list_what_their_team_shows_them() -> None:
    service = generate(team_id="acme-dev", key_alias="ci")["token"]
    others = generate(team_id="acme-dev", user_id="tess", key_alias="hers")["token"]
    own = generate(team_id="acme-dev", user_id="ana", key_alias="mine")["token"]
    ana = key(generate(user_id="ana")["key"])
    by_team = {"team_id": "acme-dev"}
    for path in ("/key/list", "/key/aliases"):
        denied = call("GET", path, query=by_team, caller=ana)
        message = "You are not authorized to check this team's keys"
        assert (denied.status, denied.body) == (403, e1(message, "bad_request_error", "None", 403))
    seen = call("GET", "/key/list", query={"include_team_keys": "true"}, caller=ana).body["keys"]
    assert {service, own} <= set(seen)
    assert others not in seen
    permit("/key/list", "/key/aliases")
    assert set(call("GET", "/key/list", query=by_team, caller=ana).body["keys"]) >= {service, others, own}
    assert call("GET", "/key/aliases", query=by_team, caller=ana).body["aliases"] == ["ci", "hers", "mine"]
    assert others in call("GET", "/key/list", query={"include_team_keys": "true"}, caller=ana).body["keys"]
    assert call("GET", "/key/list", query=by_team, caller=of("ben")).status == 403


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"max_budget": 8, "temp_budget_increase": 3, "temp_budget_expiry": "2099-01-01T00:00:00Z"}, 400),
        ({"budget_id": "large"}, 400),
        ({"budget_id": "large", "max_budget": 9}, 200),
        ({"metadata": {"max_budget_alert_emails": ["a@b.example"]}}, 403),
        ({"allowed_routes": []}, 403),
        ({"aliases": {"a": "b"}}, 200),
    ],
)
def test_what_nobody_but_the_platform_raises_of_his_own(fields: dict[str, Any], status: int) -> None:
    build.budget("user", "ana", max_budget=10)
    build.budget("shared", "large", max_budget=1000)
    caller = of("ana")
    own = generate(caller, key_type="management")
    answer = update(own["token"], caller, **fields)
    assert answer.status == status, answer.text
