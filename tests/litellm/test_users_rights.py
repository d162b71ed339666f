"""Who may do what with users by LiteLLM's API (contract litellm 2.1 to 2.4): nobody reaches into another tenant."""

from __future__ import annotations

from typing import Any

import pytest

from tests.litellm.test_users import done, e1
from tests.support import build
from tests.support.api import Answer, call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items, put_raw, raw_items
from tests.support.sessions import session_of

_items: list[dict[str, Any]] = []
OTHERS = ("ben", "both", "vera", "nobody")


@pytest.fixture(autouse=True)
def world(empty_table: None, clock: FakeClock) -> None:
    """Two tenants. olga administers the first, ana is in it, ben in the other, both in both; vera looks on."""
    if _items:
        put_raw(_items)
    else:
        _make()
        _items.extend(raw_items())


def _make() -> None:
    build.organization()
    build.team()
    build.organization("org_other")
    build.team("other-dev", "org_other")
    for name in ("olga", "ana", "ben", "both"):
        build.user(name, email=f"{name}@example.com")
    build.user("vera", role="platform_viewer")
    build.member("organization-member", "org_acme", "olga", role="org_admin")
    build.member("organization-member", "org_acme", "vera")
    build.member("team-member", "acme-dev", "ana", role="team_admin")
    for name in ("ana", "both"):
        build.member("organization-member", "org_acme", name)
    build.member("organization-member", "org_other", "ben")
    build.member("team-member", "other-dev", "both")


def send(path: str, caller: str | dict[str, str], body: dict[str, Any] | None = None, **query: str) -> Answer:
    who = session_of(caller) if isinstance(caller, str) else caller
    return call("POST" if body is not None else "GET", path, body, query=query, caller=who)


def gate(route: str, user_id: str) -> dict[str, Any]:
    """What the contract says to a role that may not use a route."""
    message = (
        "Authentication Error, Only proxy admin can be used to generate, delete, update info for new keys/users/teams. "
        f"Route={route}. Your role=internal_user. Your user_id={user_id}"
    )
    return e1(message, "auth_error", 401, "None")


def test_an_organizations_admin_makes_users_in_it() -> None:
    body = {"user_id": "new", "organizations": ["org_acme"], "teams": ["acme-dev"], "max_budget": 5}
    made = done(send("/user/new", "olga", body))
    assert (made["organizations"], made["teams"], made["max_budget"]) == (["org_acme"], ["acme-dev"], 5)
    shown = done(call("GET", "/key/info", query={"key": made["key"]}))["info"]
    assert (shown["user_id"], shown["organization_id"], shown["created_by"]) == ("new", "org_acme", "olga")
    (event,) = [item for item in all_items() if item.get("action") == "user.created" and item["resource_id"] == "new"]
    assert event["actor"] == "olga"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 401),
        ({"organizations": ["org_other"]}, 401),
        ({"organizations": ["org_acme", "org_other"]}, 401),
        ({"organizations": ["nope"]}, 401),
        ({"organization_id": "org_other"}, 401),
        ({"organizations": ["org_acme"], "teams": ["other-dev"]}, 403),
        ({"organizations": ["org_acme"], "team_id": "other-dev"}, 403),
        ({"organizations": ["org_acme"], "teams": ["nope"]}, 403),
        ({"organizations": ["org_acme"], "user_role": "proxy_admin"}, 403),
        ({"organizations": ["org_acme"], "user_role": "proxy_admin_viewer"}, 403),
        ({"organizations": ["org_acme"], "permissions": {"a": True}}, 403),
        ({"organizations": ["org_acme"], "spend": 1}, 403),
    ],
)
def test_but_nowhere_else_and_no_administrators(fields: dict[str, Any], status: int) -> None:
    caller, before = session_of("olga"), all_items()
    answer = send("/user/new", caller, {"user_id": "new", **fields})
    assert answer.status == status, answer.text
    if status == 401:
        assert answer.body == gate("/user/new", "olga")
    assert len(all_items()) == len(before)


def test_who_administers_nothing_makes_nobody() -> None:
    for caller in ("ana", "ben"):
        answer = send("/user/new", caller, {"organizations": ["org_acme"]})
        assert (answer.status, answer.body) == (401, gate("/user/new", caller))
    message = "user not allowed to access this route, role= proxy_admin_viewer. Trying to access: /user/new"
    answer = send("/user/new", "vera", {})
    assert (answer.status, answer.body) == (403, e1(message, "auth_error", 403, "None"))


def test_only_owners_of_the_platform_make_administrators() -> None:
    build.user("paul", role="platform_admin")
    refused = send("/user/new", "paul", {"user_role": "proxy_admin"})
    assert refused.status == 403
    assert done(send("/user/new", "paul", {"user_role": "proxy_admin_viewer"}))["user_role"] == "proxy_admin_viewer"
    assert done(call("POST", "/user/new", {"user_role": "proxy_admin"}))["user_role"] == "proxy_admin"
    assert send("/user/update", "paul", {"user_id": "ana", "user_role": "proxy_admin"}).status == 403
    # Whoever is an owner stays one where the role that he is shown with is sent back.
    build.user("otto", role="platform_owner")
    done(call("POST", "/user/update", {"user_id": "otto", "user_role": "proxy_admin", "user_alias": "Otto"}))
    assert call("GET", "/api/admin-users/otto").body["role"] == "owner"


def test_an_organizations_admin_changes_its_users() -> None:
    answer = done(send("/user/update", "olga", {"user_id": "ana", "max_budget": 2, "blocked": True}))
    assert (answer["data"]["max_budget"], answer["data"]["blocked"]) == (2, True)
    answer = done(send("/user/update", "olga", {"user_id": "ana", "user_role": "internal_user_viewer"}))
    assert answer["data"]["user_role"] == "internal_user_viewer"
    assert send("/user/update", "olga", {"user_id": "ana", "user_role": "proxy_admin_viewer"}).status == 403
    assert send("/user/update", "olga", {"user_id": "ana", "spend": 0}).status == 403


@pytest.mark.parametrize("user_id", OTHERS)
def test_who_is_elsewhere_too_is_not_his(user_id: str) -> None:
    """Nor is whoever has a platform role; and whether a user of another tenant is there is not told."""
    caller, before = session_of("olga"), all_items()
    refused = send("/user/update", caller, {"user_id": user_id, "max_budget": 2})
    assert refused.status == 403
    if user_id in {"ben", "nobody"}:
        message = f"You are not allowed to update this user. user_id={user_id}"
        assert refused.body == e1(message, "auth_error", 403, "None")
    assert send("/user/delete", caller, {"user_ids": ["ana", user_id]}).status == 403
    assert all_items() == before


def test_an_address_tells_him_nothing_of_others() -> None:
    for address in ("ben@example.com", "nobody@example.com"):
        answer = send("/user/update", "olga", {"user_email": address, "max_budget": 2})
        message = f"You are not allowed to update this user. user_email={address}"
        assert (answer.status, answer.body) == (403, e1(message, "auth_error", 403, "None"))


def test_an_organizations_admin_deletes_its_users() -> None:
    made = done(call("POST", "/key/generate", {"user_id": "ana"}))
    assert done(send("/user/delete", "olga", {"user_ids": ["ana"]})) == 1
    assert call("GET", "/user/info", caller=key(made["key"])).status == 401
    answer = send("/user/delete", "olga", {"user_ids": ["olga"]})
    assert (answer.status, answer.body) == (400, {"detail": {"error": "You may not delete yourself"}})
    for caller in ("both", "ben"):
        answer = send("/user/delete", caller, {"user_ids": ["both"]})
        assert (answer.status, answer.body) == (401, gate("/user/delete", caller))


def test_oneself() -> None:
    changed = done(send("/user/update", "ana", {"user_id": "ana", "user_alias": "A"}))
    assert changed["data"]["user_alias"] == "A"
    more = {
        # Whoever is invited by that address would be he.
        "user_email": "somebody@example.com",
        "max_budget": None,
        "models": [],
        "user_role": "proxy_admin",
        "blocked": False,
        "password": "correct horse",
        "metadata": {},
        "duration": "1d",
        "allowed_model_region": None,
        "rpm_limit": 10**6,
    }
    for user_id in ("ana", "olga"):
        caller = session_of(user_id)
        for name, value in more.items():
            refused = send("/user/update", caller, {"user_id": user_id, name: value})
            own = {
                "user_email": "email",
                "user_role": "role",
                "blocked": "is_active",
                "duration": "access_expires_at",
            }.get(name, name)
            message = f"You may not change {own} of yourself"
            assert (refused.status, refused.body) == (403, e1(message, "auth_error", 403, "None"))
    assert done(send("/user/update", "vera", {"user_id": "vera", "user_email": "v@example.com"}))["user_id"] == "vera"
    assert send("/user/update", "vera", {"user_id": "ana", "user_alias": "x"}).status == 403


def test_a_key_in_a_team_changes_no_administrators_login() -> None:
    build.user("paul", role="platform_admin", email="paul@example.com")
    build.member("team-member", "acme-dev", "paul")
    own = key(build.issued_key(user_id="paul")["virtual_key"])
    assert send("/user/update", own, {"user_id": "paul", "user_email": "eve@example.com"}).status == 403


@pytest.mark.parametrize("path", ["/user/info", "/v2/user/info"])
def test_everybody_sees_himself_and_nobody_else(path: str) -> None:
    for query in ({}, {"user_id": "ben"}):
        assert done(send(path, "ben", **query))["user_id"] == "ben"
    for other in ("ana", "nobody"):
        answer = send(path, "ben", user_id=other)
        message = f"key not allowed to access this user's info. user_id={other}, key's user_id=ben"
        assert (answer.status, answer.body) == (403, e1(message, "internal_server_error", 403))
    team_key = key(build.issued_key()["virtual_key"])
    assert send(path, team_key).status == 404
    assert send(path, team_key, user_id="ana").status == 403
    for reader in ("vera",):
        assert done(send(path, reader, user_id="ben"))["user_id"] == "ben"
        assert send(path, reader, user_id="nobody").status == 404


def test_an_organizations_admin_sees_only_what_is_of_it() -> None:
    for owners in ({"team_id": "other-dev"}, {"organization_id": "org_acme"}, {}):
        done(call("POST", "/key/generate", {"user_id": "both", **owners}))
    shown = done(send("/user/info", "olga", user_id="both"))
    assert shown["teams"] == []
    assert (shown["user_info"]["teams"], shown["user_info"]["organizations"]) == ([], ["org_acme"])
    assert [one["organization_id"] for one in shown["keys"]] == ["org_acme"]
    assert send("/user/info", "olga", user_id="ben").status == 403


def listed(caller: str, **query: str) -> Answer:
    return send("/user/list", caller, **query)


def test_an_organizations_admin_lists_its_users() -> None:
    page = done(listed("olga", sort_by="user_id"))
    assert [one["user_id"] for one in page["users"]] == ["ana", "both", "olga", "vera"]
    assert (page["users"][1]["teams"], page["users"][1]["organizations"]) == ([], ["org_acme"])
    assert (page["total"], page["total_pages"]) == (4, 1)
    for query in ({"user_ids": "ana,ben"}, {"search": "AN"}, {"team": "acme-dev"}, {"organization_ids": "org_acme"}):
        found = {one["user_id"] for one in done(listed("olga", **query))["users"]}
        assert found == ({"ana"} if "organization_ids" not in query else {"ana", "both", "olga", "vera"})


@pytest.mark.parametrize(
    ("caller", "query"),
    [
        ("olga", {"organization_ids": "org_other"}),
        ("olga", {"organization_ids": "org_acme,org_other"}),
        ("olga", {"team": "other-dev"}),
        ("olga", {"team": "nope"}),
        ("ana", {}),
        ("ana", {"team": "acme-dev"}),
        ("ben", {"user_ids": "ben"}),
    ],
)
def test_others_users_are_not_listed(caller: str, query: dict[str, str]) -> None:
    answer = listed(caller, **query)
    assert answer.status == 403
    assert set(answer.body) == {"detail"}


def test_readers_of_the_platform_list_everybody() -> None:
    assert done(listed("vera"))["total"] == 5
    assert [one["user_id"] for one in done(listed("vera", team="other-dev"))["users"]] == ["both"]


def test_only_the_platform_changes_many() -> None:
    body = {"users": [{"user_id": "ana", "max_budget": 1}]}
    for caller in ("olga", "ana"):
        answer = send("/user/bulk_update", caller, body)
        assert (answer.status, answer.body) == (401, gate("/user/bulk_update", caller))
