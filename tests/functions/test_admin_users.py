"""Admin users: who manages whom, what is shown of them, and that the platform keeps an owner (contract 1.8, Q-41)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import NOBODY, Answer, call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items
from tests.support.sessions import PASSWORD, cheap_passwords, session, session_of
from workers import offboard

BASE = "/api/admin-users"
NOON = "2026-03-01T12:00:00Z"
FORBIDDEN = problem(403, "forbidden", "This credential may not use this endpoint")
LAST = problem(409, "last_owner", "The last active owner must stay")


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_passwords(monkeypatch)


def user(name: str, role: str = "user") -> str:
    """The id of a new admin user; the address is the name's."""
    return str(build.admin_user(f"{name}@example.com", role=role)["user_id"])


def send(method: str, user_id: str, body: Any = None, by: str | None = None) -> Answer:
    """A request about a user, by the master key or by a session of somebody else."""
    who = {"caller": session(f"{by}@example.com")} if by else {}
    return call(method, f"{BASE}/{user_id}", body, **who)


def kept(kind: str) -> list[dict[str, Any]]:
    return [item for item in all_items() if item["kind"] == kind]


# ---------------------------------------------------------------------------------------------------------------------
# One user


def test_create_and_get(clock: FakeClock) -> None:
    request = {"email": "Vera@Example.com", "display_name": "Vera", "password": PASSWORD, "metadata": {"desk": 4}}
    answer = call("POST", BASE, request)
    expected = {
        "user_id": answer.body["user_id"],
        "email": "vera@example.com",
        "display_name": "Vera",
        "role": "user",
        "is_active": True,
        "created_at": NOON,
        "last_login": None,
        "metadata": {"desk": 4},
    }
    assert (answer.status, answer.body) == (200, expected)
    clock.advance(hours=1)
    session("vera@example.com")
    again = call("GET", f"{BASE}/{answer.body['user_id']}")
    assert (again.status, again.body) == (200, expected | {"last_login": "2026-03-01T13:00:00Z"})


def test_an_address_is_taken_whatever_its_case(clock: FakeClock) -> None:
    user("vera")
    build.user("ana", email="ana@example.com")
    for email in ("VERA@example.com", "ana@example.com"):
        answer = call("POST", BASE, {"email": email, "display_name": "x", "password": PASSWORD})
        message = f"User with email '{email.lower()}' already exists"
        assert (answer.status, answer.body) == (400, problem(400, "email_exists", message))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", None),
        ("email", "vera"),
        ("display_name", None),
        ("display_name", "x" * 501),
        ("password", None),
        ("password", "1234567"),
        ("role", "platform_owner"),
        ("role", "viewer"),
        ("metadata", []),
        ("is_active", True),
    ],
)
def test_create_names_the_field(field: str, value: Any) -> None:
    request = {"email": "vera@example.com", "display_name": "Vera", "password": PASSWORD} | {field: value}
    answer = call("POST", BASE, request)
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])
    assert PASSWORD not in answer.text


def test_update_changes_what_was_sent(clock: FakeClock) -> None:
    vera = user("vera")
    before = call("GET", f"{BASE}/{vera}").body
    answer = send("PUT", vera, {"display_name": "Vera B.", "metadata": {"desk": 5}})
    assert (answer.status, answer.body) == (200, before | {"display_name": "Vera B.", "metadata": {"desk": 5}})
    answer = send("PUT", vera, {"role": "admin"})
    assert answer.body == before | {"display_name": "Vera B.", "metadata": {"desk": 5}, "role": "admin"}
    answer = send("PUT", vera, {"display_name": None, "metadata": None, "role": None, "is_active": None})
    assert answer.body == before | {"display_name": None, "metadata": {}, "role": "admin"}
    event = call("GET", f"{BASE}/audit-logs", query={"action": "updated_user"}).body["audit_logs"][1]
    assert event["details"] == {"before": {"role": "user"}, "after": {"role": "admin"}}


def test_users_without_a_platform_role_are_no_admin_users(clock: FakeClock) -> None:
    build.user("ana", email="ana@example.com")
    missing = problem(404, "not_found", "User 'ana' not found")
    for method, body in (("GET", None), ("PUT", {"role": "owner"}), ("DELETE", None)):
        answer = send(method, "ana", body)
        assert (answer.status, answer.body) == (404, missing)
    answer = call("POST", f"{BASE}/ana/change-password", {"new_password": PASSWORD})
    assert (answer.status, answer.body) == (404, missing)
    assert call("GET", BASE).body == {"users": [], "next_cursor": None}


def test_the_list_is_newest_first_and_paged(clock: FakeClock) -> None:
    ids = []
    for name in ("a", "b", "c"):
        clock.advance(seconds=1)
        ids.append(user(name))
    first = call("GET", BASE, query={"limit": 2}).body
    assert [entry["user_id"] for entry in first["users"]] == [ids[2], ids[1]]
    assert first["users"][0] == {
        "user_id": ids[2],
        "email": "c@example.com",
        "display_name": "c",
        "role": "user",
        "is_active": True,
        "created_at": "2026-03-01T12:00:03Z",
        "last_login": None,
    }
    second = call("GET", BASE, query={"limit": 2, "cursor": first["next_cursor"]}).body
    assert [entry["user_id"] for entry in second["users"]] == [ids[0]]
    assert second["next_cursor"] is None


# ---------------------------------------------------------------------------------------------------------------------
# Who manages whom


@pytest.mark.parametrize(
    ("by", "role", "expected"),
    [
        ("owner", "owner", 200),
        ("owner", "admin", 200),
        ("owner", "user", 200),
        ("admin", "owner", 403),
        ("admin", "admin", 403),
        ("admin", "user", 200),
        ("user", "user", 403),
    ],
)
def test_roles(by: str, role: str, expected: int, clock: FakeClock) -> None:
    """Creating, renaming, switching off and deleting a user of a role are one right."""
    user(by, by)
    user("other", "owner")
    target = user("target", role)
    who = session(f"{by}@example.com")
    request = {"email": "new@example.com", "display_name": "New", "password": PASSWORD, "role": role}
    answers = [
        call("POST", BASE, request, caller=who),
        call("PUT", f"{BASE}/{target}", {"display_name": "Renamed"}, caller=who),
        call("PUT", f"{BASE}/{target}", {"is_active": False}, caller=who),
        call("DELETE", f"{BASE}/{target}", caller=who),
    ]
    assert [answer.status for answer in answers] == [expected] * 4
    if expected == 403:
        assert [answer.body for answer in answers] == [FORBIDDEN] * 4
    assert call("GET", BASE, caller=who).status == 200


def test_nobody_raises_a_user_above_himself(clock: FakeClock) -> None:
    user("ada", "admin")
    vera = user("vera")
    for role in ("admin", "owner"):
        assert send("PUT", vera, {"role": role}, by="ada").body == FORBIDDEN
    assert call("GET", f"{BASE}/{vera}").body["role"] == "user"


def test_nobody_deletes_himself(clock: FakeClock) -> None:
    user("olga", "owner")
    other = user("otto", "owner")
    answer = send("DELETE", other, by="otto")
    assert (answer.status, answer.body) == (400, problem(400, "refused_request", "You may not delete yourself"))
    assert send("DELETE", other, by="olga").status == 200


# ---------------------------------------------------------------------------------------------------------------------
# The last owner


@pytest.mark.parametrize(
    ("method", "body"),
    [("PUT", {"role": "admin"}), ("PUT", {"is_active": False}), ("DELETE", None)],
    ids=["demoted", "switched off", "deleted"],
)
def test_the_last_active_owner_stays(method: str, body: Any, clock: FakeClock) -> None:
    olga = user("olga", "owner")
    retired = user("retired", "owner")
    send("PUT", retired, {"is_active": False})
    build.organization("org_acme")
    build.member("organization-member", "org_acme", olga, role="org_admin")
    before = sorted(map(str, all_items()))
    answer = send(method, olga, body)
    assert (answer.status, answer.body) == (409, LAST)
    assert sorted(map(str, all_items())) == before
    send("PUT", retired, {"is_active": True})
    assert send(method, olga, body).status == 200


def test_owners_are_counted_through_every_change(clock: FakeClock) -> None:
    def counted() -> tuple[int, int]:
        (item,) = kept("admin_count")
        return int(item["admins"]), int(item["owners"])

    olga, otto, vera = user("olga", "owner"), user("otto", "owner"), user("vera")
    assert counted() == (3, 2)
    send("PUT", otto, {"display_name": "Otto"})
    assert counted() == (3, 2)
    send("PUT", otto, {"is_active": False})
    assert counted() == (3, 1)
    send("DELETE", otto)
    assert counted() == (2, 1)
    send("PUT", vera, {"role": "owner"})
    send("PUT", olga, {"role": "user"})
    assert counted() == (2, 1)
    build.user("ana")
    assert counted() == (2, 1)


# ---------------------------------------------------------------------------------------------------------------------
# Deletion


def test_deletion_leaves_nothing_and_frees_the_address(clock: FakeClock) -> None:
    user("olga", "owner")
    vera = user("vera")
    build.organization("org_acme")
    build.team()
    build.member("organization-member", "org_acme", vera)
    build.member("team-member", "acme-dev", vera)
    build.budget("user", vera, max_budget=5)
    answer = send("DELETE", vera)
    assert (answer.status, answer.body) == (200, {"user_id": vera, "deleted": True})
    left = [item for item in all_items() if vera in str(item) or "vera@" in str(item)]
    assert {item["kind"] for item in left} <= {"audit_event"}
    assert send("DELETE", vera).status == 404
    assert user("vera") != vera


def test_a_deletion_that_was_interrupted_goes_on(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    from tollgate.core.errors import StoreUnavailableError
    from tollgate.tenants.users import UserRemovalService

    user("olga", "owner")
    vera = user("vera")
    build.organization("org_acme")
    build.member("organization-member", "org_acme", vera)
    who = session("vera@example.com")

    def fails(*_: Any) -> None:
        raise StoreUnavailableError("The data store did not answer; try again")

    with monkeypatch.context() as patched:
        patched.setattr(UserRemovalService, "_end", fails)
        assert send("DELETE", vera).status == 200
    assert call("GET", f"{BASE}/me", caller=who).status == 401
    assert [send(method, vera).status for method in ("GET", "DELETE")] == [404, 404]
    assert user("vera") != vera
    assert len(kept("membership")) == 1
    assert offboard.handler({}, None) == {"finished": 0, "left": 0}
    clock.advance(seconds=61)
    assert offboard.handler({}, None) == {"finished": 1, "left": 0}
    assert kept("membership") == []
    assert vera not in {item["user_id"] for item in kept("user")}


def test_the_last_owner_of_an_organization_is_not_deleted(clock: FakeClock) -> None:
    vera = user("vera")
    build.organization("org_acme")
    build.member("organization-member", "org_acme", vera, role="org_owner")
    answer = send("DELETE", vera)
    message = "Organization 'org_acme' must keep an owner"
    assert (answer.status, answer.body) == (409, problem(409, "last_owner", message))


# ---------------------------------------------------------------------------------------------------------------------
# Keys of users


@pytest.fixture
def ana(clock: FakeClock) -> str:
    """A user with a key in acme-dev: its text."""
    build.organization("org_acme")
    build.organization("org_other")
    build.team()
    build.team("acme-prod")
    build.team("other-dev", "org_other")
    build.user("ana")
    return str(build.issued_key("acme-dev", user_id="ana")["virtual_key"])


def reads(virtual_key: str) -> dict[str, int]:
    paths = {
        "own team": "/api/teams/acme-dev",
        "sister team": "/api/teams/acme-prod",
        "organization": "/api/organizations/org_acme",
        "foreign team": "/api/teams/other-dev",
        "platform": "/api/organizations",
    }
    return {name: call("GET", path, caller=key(virtual_key)).status for name, path in paths.items()}


NOTHING_MORE = {"own team": 200, "sister team": 403, "organization": 403, "foreign team": 404, "platform": 403}


def test_a_users_key_reads_its_team_as_every_key(ana: str) -> None:
    assert reads(ana) == NOTHING_MORE


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("org_admin", NOTHING_MORE | {"sister team": 200, "organization": 200}),
        ("org_developer", NOTHING_MORE),
    ],
)
def test_a_users_key_has_his_role_in_its_own_organization(role: str, expected: dict[str, int], ana: str) -> None:
    build.member("organization-member", "org_acme", "ana", role=role)
    build.member("organization-member", "org_other", "ana", role="org_admin")
    assert reads(ana) == expected


def test_a_users_key_has_his_role_in_its_own_team(ana: str) -> None:
    build.member("team-member", "acme-prod", "ana", role="team_admin")
    assert call("GET", "/api/teams/acme-dev/keys", caller=key(ana)).status == 403
    build.member("team-member", "acme-dev", "ana", role="team_admin")
    assert call("GET", "/api/teams/acme-dev/keys", caller=key(ana)).status == 200
    assert call("GET", "/api/teams/acme-prod/keys", caller=key(ana)).status == 403


def test_a_users_own_key_has_his_platform_role(ana: str) -> None:
    """A key in a team has it never: whoever manages the team could make one in his name."""
    vera = user("vera", "admin")
    of_team = build.issued_key("acme-dev", user_id=vera)["virtual_key"]
    assert call("PUT", "/api/teams/acme-dev", {"team_alias": "x"}, caller=key(of_team)).status == 403
    virtual_key = call("POST", "/key/generate", {"user_id": vera}).body["key"]
    assert set(reads(virtual_key).values()) == {200}
    send("PUT", vera, {"role": "user"})
    assert call("PUT", "/api/teams/acme-dev", {"team_alias": "x"}, caller=key(virtual_key)).status == 403
    send("DELETE", vera)
    assert set(reads(virtual_key).values()) == {401}


def test_a_user_made_again_does_not_inherit_the_keys_of_the_first(ana: str) -> None:
    from tests.support.items import put_raw, raw_items

    (item,) = [one for one in raw_items() if one["kind"]["S"] == "user"]
    put_raw([item | {"uid": {"S": "another"}, "role": {"S": "platform_owner"}}])
    assert set(reads(ana).values()) == {401}


# ---------------------------------------------------------------------------------------------------------------------
# Sessions of users without a platform role: by their memberships


@pytest.fixture
def bo(ana: str) -> dict[str, str]:
    """A session of a user without a platform role."""
    build.user("bo")
    return session_of("bo")


def statuses(who: dict[str, str], *paths: str) -> list[int]:
    return [call("GET", path, caller=who).status for path in paths]


def test_a_session_without_a_role_shows_its_user_only(bo: dict[str, str]) -> None:
    answer = call("GET", f"{BASE}/me", caller=bo)
    assert (answer.status, answer.body["role"]) == (200, None)
    assert statuses(bo, "/api/teams/acme-dev", "/api/organizations/org_acme", BASE) == [403, 403, 403]


def test_a_membership_counts_and_ends_at_once(bo: dict[str, str]) -> None:
    paths = ("/api/teams/acme-dev", "/api/organizations/org_acme", "/api/teams/other-dev", "/api/organizations")
    build.member("organization-member", "org_acme", bo["user_id"], role="org_admin")
    assert statuses(bo, *paths) == [200, 200, 404, 403]
    build.member("organization-member", "org_other", bo["user_id"], role="org_viewer")
    assert call("GET", "/api/teams/other-dev", caller=bo).body == problem(
        403, "forbidden", "You may not do this in organization 'org_other'"
    )
    call("PUT", "/api/organizations/org_acme/status", {"status": "suspended"})
    assert statuses(bo, *paths) == [403, 403, 403, 403]
    call("PUT", "/api/organizations/org_acme/status", {"status": "active"})
    assert statuses(bo, *paths[:2]) == [200, 200]
    from tollgate.limits.model import Scope
    from tollgate.tenants.members import member_service

    member_service().remove(build.owner(), Scope.ORGANIZATION_MEMBER, "org_acme", bo["user_id"])
    assert statuses(bo, *paths[:2]) == [403, 403]


def test_a_membership_in_a_team(bo: dict[str, str]) -> None:
    build.member("team-member", "acme-dev", bo["user_id"], role="team_admin")
    assert statuses(bo, "/api/teams/acme-dev/keys", "/api/teams/acme-prod/keys") == [200, 404]
    call("POST", "/api/teams/acme-dev/suspend")
    assert statuses(bo, "/api/teams/acme-dev/keys") == [403]


def test_nobody_at_all(ana: str) -> None:
    assert call("GET", BASE, caller=NOBODY).status == 401
