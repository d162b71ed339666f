"""Logins and sessions: the first owner, passwords, tokens, and when a session ends (contract 1.8, D-20, Q-32)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import jwt
import pytest

from tests.support import build
from tests.support.api import MASTER, MASTER_KEY, NOBODY, REQUEST_ID, SOURCE_IP, call, key, problem
from tests.support.clock import FakeClock
from tests.support.environment import other_settings
from tests.support.items import all_items
from tests.support.sessions import PASSWORD, caller, cheap_passwords, log_in, session
from tollgate.settings import settings

BASE = "/api/admin-users"
NOON = "2026-03-01T12:00:00Z"
OLGA = {"email": "Olga@Example.com", "display_name": "Olga", "password": PASSWORD}
ENDED = problem(401, "invalid_api_key", "Invalid or missing API key")
WRONG = problem(401, "invalid_login", "Wrong e-mail address or password")


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_passwords(monkeypatch)


def set_up(**changes: Any) -> Any:
    return call("POST", f"{BASE}/setup", OLGA | changes, caller=NOBODY)


def me(who: dict[str, str] | None) -> Any:
    return call("GET", f"{BASE}/me", caller=who)


def actions() -> list[tuple[str, str]]:
    """What the audit list shows, oldest first, with whom it names."""
    events = call("GET", f"{BASE}/audit-logs").body["audit_logs"]
    return [(event["action"], event["user_id"]) for event in reversed(events)]


@pytest.fixture
def olga(clock: FakeClock) -> str:
    """The first owner's id."""
    answer = set_up()
    assert answer.status == 200, answer.text
    return str(answer.body["user"]["user_id"])


# ---------------------------------------------------------------------------------------------------------------------
# The first owner


def test_setup_makes_the_first_owner_and_logs_him_in(clock: FakeClock) -> None:
    assert call("GET", f"{BASE}/setup/status", caller=NOBODY).body == {"needs_setup": True, "has_users": False}
    answer = set_up(metadata={"phone": 1.5})
    user = {
        "user_id": answer.body["user"]["user_id"],
        "email": "olga@example.com",
        "display_name": "Olga",
        "role": "owner",
        "is_active": True,
        "created_at": NOON,
        "last_login": NOON,
        "metadata": {"phone": 1.5},
    }
    assert answer.status == 200
    assert answer.body == {
        "access_token": answer.body["access_token"],
        "token_type": "bearer",
        "expires_in": 86_400,
        "user": user,
    }
    assert me(caller(answer.body["access_token"])).body == user
    assert call("GET", f"{BASE}/setup/status", caller=NOBODY).body == {"needs_setup": False, "has_users": True}
    assert actions() == [("setup_owner", user["user_id"])]


def test_setup_is_done_once(olga: str) -> None:
    answer = set_up(email="eve@example.com")
    assert (answer.status, answer.body) == (400, problem(400, "setup_done", "Setup has been done already"))
    assert [user["user_id"] for user in call("GET", BASE).body["users"]] == [olga]


def test_setup_is_over_when_the_master_key_made_an_admin_user(clock: FakeClock) -> None:
    build.admin_user()
    assert set_up().body["code"] == "setup_done"


def test_users_without_a_platform_role_do_not_end_the_setup(clock: FakeClock) -> None:
    build.user("ana", email="ana@example.com")
    assert call("GET", f"{BASE}/setup/status", caller=NOBODY).body["needs_setup"] is True
    assert set_up().status == 200


@pytest.fixture
def deployed() -> Iterator[None]:
    """The settings of a deployed stack, which has no open setup."""
    environment = {name: value for name, value in os.environ.items() if name != "OPEN_SETUP"}
    endpoint = settings().dynamodb_endpoint_url or ""
    with other_settings(), patch.dict(os.environ, environment | {"DYNAMODB_ENDPOINT_URL": endpoint}, clear=True):
        yield


@pytest.mark.usefixtures("deployed")
def test_a_deployed_stack_is_set_up_with_the_master_key_only(clock: FakeClock) -> None:
    for headers in ({}, {"X-Admin-Key": "sk-wrong"}, {"Authorization": f"Basic {MASTER_KEY}"}):
        answer = call("POST", f"{BASE}/setup", OLGA, caller=NOBODY, headers=headers)
        assert (answer.status, answer.body) == (401, ENDED)
    assert call("GET", f"{BASE}/setup/status", caller=NOBODY).body["needs_setup"] is True
    answer = call("POST", f"{BASE}/setup", OLGA, caller=NOBODY, headers={"X-Admin-Key": MASTER_KEY})
    assert answer.status == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "olga"),
        ("email", "a@b@c"),
        ("email", ""),
        ("display_name", ""),
        ("password", "seven77"),
        ("password", "x" * 257),
        ("metadata", {"a": "x" * 11_000}),
        ("role", "owner"),
    ],
)
def test_setup_names_the_field(field: str, value: Any) -> None:
    answer = set_up(**{field: value})
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])


# ---------------------------------------------------------------------------------------------------------------------
# Logging in


def test_login(olga: str, clock: FakeClock) -> None:
    clock.advance(hours=1)
    answer = log_in("OLGA@example.COM", headers={"User-Agent": "curl/8"})
    assert answer.status == 200
    assert answer.body["user"]["user_id"] == olga
    assert answer.body["user"]["last_login"] == "2026-03-01T13:00:00Z"
    assert me(caller(answer.body["access_token"])).body == answer.body["user"]
    claims = jwt.decode(
        answer.body["access_token"], settings().session_secret, algorithms=["HS256"], options={"verify_exp": False}
    )
    assert claims["sub"] == olga
    assert claims["exp"] - claims["iat"] == 86_400
    assert actions()[-1] == ("login", olga)


def test_a_session_is_stored_without_what_it_is_opened_with(olga: str, clock: FakeClock) -> None:
    token = log_in("olga@example.com", headers={"User-Agent": "curl/8"}).body["access_token"]
    item = next(one for one in all_items() if one["kind"] == "session" and one.get("user_agent"))
    assert item["session_id"] == caller(token)["session_id"]
    assert (item["user_id"], item["ip_address"], item["user_agent"]) == (olga, SOURCE_IP, "curl/8")
    assert item["ttl"] == clock.now.timestamp() + 86_400
    token_id = jwt.decode(token, options={"verify_signature": False})["jti"]
    stored = str(all_items())
    for secret in (token, token_id, PASSWORD):
        assert secret not in stored
    assert stored.count("$argon2id$") == 1


@pytest.mark.usefixtures("olga")
def test_unknown_addresses_and_wrong_passwords_are_told_alike() -> None:
    build.user("ana", email="ana@example.com")
    for email, password in (
        ("olga@example.com", "wrong horse"),
        ("nobody@example.com", PASSWORD),
        ("ana@example.com", PASSWORD),
        ("olga@example.com", ""),
    ):
        answer = log_in(email, password)
        assert (answer.status, answer.body) == (401, WRONG)


@pytest.mark.usefixtures("olga")
def test_every_login_hashes_once_so_that_time_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from tollgate.users import passwords

    compared: list[str] = []

    def matches(_: object, password_hash: str) -> bool:
        compared.append(password_hash)
        return False

    monkeypatch.setattr(passwords, "matches", matches)
    log_in("olga@example.com")
    log_in("nobody@example.com")
    # Each against another hash, of the same variant, version and costs.
    assert len(set(compared)) == len(compared) == 2
    assert len({password_hash.rsplit("$", 2)[0] for password_hash in compared}) == 1


def test_a_user_who_is_switched_off_is_told_so_once_he_gave_the_password(clock: FakeClock) -> None:
    vera = build.admin_user("vera@example.com")["user_id"]
    call("PUT", f"{BASE}/{vera}", {"is_active": False})
    assert log_in("vera@example.com", "wrong horse").body == WRONG
    answer = log_in("vera@example.com")
    assert (answer.status, answer.body) == (403, problem(403, "user_blocked", "User is blocked"))


@pytest.mark.parametrize("email", ["olga@example.com", "nobody@example.com"])
@pytest.mark.usefixtures("olga")
def test_guesses_are_slowed_down_for_known_and_unknown_addresses(email: str, clock: FakeClock) -> None:
    assert {log_in(email, f"wrong horse {number}").status for number in range(10)} == {401}
    clock.advance(minutes=5)
    answer = log_in(email)
    message = "Too many login attempts; try again in 600 seconds"
    assert (answer.status, answer.body) == (429, problem(429, "rate_limited", message))
    assert answer.headers["retry-after"] == "600"
    assert log_in("other@example.com").status == 401
    clock.advance(minutes=10)
    assert log_in(email).status == (200 if email == "olga@example.com" else 401)


@pytest.mark.usefixtures("olga")
def test_a_login_forgives_the_guesses_before_it() -> None:
    for _ in range(2):
        assert {log_in("olga@example.com", "wrong horse").status for _ in range(9)} == {401}
        assert log_in("olga@example.com").status == 200


# ---------------------------------------------------------------------------------------------------------------------
# The end of sessions


def test_logout_ends_this_session_and_no_other(olga: str) -> None:
    first, second = session("olga@example.com"), session("olga@example.com")
    answer = call("POST", f"{BASE}/logout", caller=first)
    assert (answer.status, answer.body) == (200, {"message": "Logged out successfully"})
    assert (me(first).status, me(first).body) == (401, ENDED)
    assert me(second).status == 200
    assert actions()[-1] == ("logout", olga)


def test_logging_out_with_a_key_ends_nothing(clock: FakeClock) -> None:
    assert call("POST", f"{BASE}/logout").status == 200
    assert me(MASTER).status == 200
    assert actions() == []


@pytest.mark.usefixtures("olga")
def test_a_session_ends_after_a_day(clock: FakeClock) -> None:
    who = session("olga@example.com")
    clock.advance(hours=23, minutes=59, seconds=59)
    assert me(who).status == 200
    clock.advance(seconds=1)
    assert me(who).body == ENDED


def test_an_unknown_session_and_one_of_a_user_who_is_gone(olga: str) -> None:
    assert me(MASTER | {"kind": "session", "session_id": "0" * 64}).body == ENDED
    vera = build.admin_user("vera@example.com")["user_id"]
    who = session("vera@example.com")
    assert me(who).status == 200
    call("DELETE", f"{BASE}/{vera}")
    assert me(who).body == ENDED


def test_switching_a_user_off_ends_his_sessions_for_good(olga: str) -> None:
    vera = build.admin_user("vera@example.com")["user_id"]
    who = session("vera@example.com")
    call("PUT", f"{BASE}/{vera}", {"is_active": False})
    assert me(who).body == ENDED
    call("PUT", f"{BASE}/{vera}", {"is_active": True})
    assert me(who).body == ENDED
    assert session("vera@example.com")


def test_another_role_counts_on_the_next_request(olga: str) -> None:
    vera = build.admin_user("vera@example.com")["user_id"]
    who = session("vera@example.com")
    request = {"organization_id": "org_acme", "name": "ACME"}
    assert call("POST", "/api/organizations/create", request, caller=who).status == 403
    call("PUT", f"{BASE}/{vera}", {"role": "admin"})
    assert call("POST", "/api/organizations/create", request, caller=who).status == 200
    call("PUT", f"{BASE}/{vera}", {"role": "user"})
    assert call("GET", "/api/organizations", caller=who).status == 200
    assert call("PUT", "/api/organizations/org_acme", {"name": "Better"}, caller=who).status == 403


# ---------------------------------------------------------------------------------------------------------------------
# Passwords


@pytest.mark.parametrize("name", ["me", None])
def test_changing_ones_own_password_ends_all_of_ones_sessions(olga: str, name: str | None) -> None:
    first, second = session("olga@example.com"), session("olga@example.com")
    request = {"current_password": PASSWORD, "new_password": "a better password"}
    answer = call("POST", f"{BASE}/{name or olga}/change-password", request, caller=first)
    assert (answer.status, answer.body) == (200, {"message": "Password changed successfully"})
    assert me(first).body == me(second).body == ENDED
    assert log_in("olga@example.com").body == WRONG
    assert session("olga@example.com", "a better password")
    assert ("changed_password", olga) in actions()


def test_ones_own_password_needs_the_current_one(olga: str) -> None:
    who = session("olga@example.com")
    missing = call("POST", f"{BASE}/me/change-password", {"new_password": "a better password"}, caller=who)
    assert (missing.status, missing.body["errors"][0]["field"]) == (422, "current_password")
    request = {"current_password": "wrong horse", "new_password": "a better password"}
    wrong = call("POST", f"{BASE}/me/change-password", request, caller=who)
    message = "Current password is incorrect"
    errors = [{"field": "current_password", "message": message}]
    assert (wrong.status, wrong.body) == (400, problem(400, "refused_request", message, errors=errors))
    short = call("POST", f"{BASE}/me/change-password", request | {"new_password": "short"}, caller=who)
    assert (short.status, short.body["errors"][0]["field"]) == (422, "new_password")
    assert {call("POST", f"{BASE}/me/change-password", request, caller=who).status for _ in range(9)} == {400}
    assert call("POST", f"{BASE}/me/change-password", request, caller=who).status == 429
    assert me(who).status == 200


def test_who_sets_whose_password(olga: str) -> None:
    ids = {role: build.admin_user(f"{role}@example.com", role=role)["user_id"] for role in ("owner", "admin", "user")}
    ids["other admin"] = build.admin_user("other@example.com", role="admin")["user_id"]
    request = {"new_password": PASSWORD}

    def changed(by: str, target: str) -> int:
        return call("POST", f"{BASE}/{ids[target]}/change-password", request, caller=session(by)).status

    assert changed("owner@example.com", "admin") == 200
    assert changed("owner@example.com", "user") == 200
    assert changed("admin@example.com", "user") == 200
    assert changed("admin@example.com", "other admin") == 403
    assert changed("admin@example.com", "owner") == 403
    assert changed("user@example.com", "admin") == 403
    ids["nobody"] = "no-user"
    assert changed("owner@example.com", "nobody") == 404
    # The master key may for everybody: so a lost password is no lost platform.
    assert call("POST", f"{BASE}/{olga}/change-password", request).status == 200


def test_a_session_may_change_its_own_password_whatever_its_role(olga: str) -> None:
    build.admin_user("vera@example.com")
    request = {"current_password": PASSWORD, "new_password": "a better password"}
    assert call("POST", f"{BASE}/me/change-password", request, caller=session("vera@example.com")).status == 200


# ---------------------------------------------------------------------------------------------------------------------
# Who one is


def test_the_master_key_is_an_owner_without_an_account() -> None:
    assert me(MASTER).body == {
        "user_id": "default_user_id",
        "email": None,
        "display_name": "Master key",
        "role": "owner",
        "is_active": True,
        "created_at": None,
        "last_login": None,
        "metadata": {},
    }


def test_a_teams_key_is_nobody() -> None:
    build.organization()
    virtual_key = build.team()["virtual_key"]
    answer = me(key(virtual_key))
    assert (answer.status, answer.body) == (
        403,
        problem(403, "forbidden", "This credential may not use this endpoint"),
    )


def test_what_a_session_does_is_in_the_audit_log_under_its_user(olga: str) -> None:
    who = session("olga@example.com")
    call("POST", "/api/organizations/create", {"organization_id": "org_acme", "name": "ACME"}, caller=who)
    event = call("GET", f"{BASE}/audit-logs", query={"limit": 1}).body["audit_logs"][0]
    assert (event["action"], event["user_id"], event["actor_kind"]) == ("organization.created", olga, "user")
    assert (event["ip_address"], event["request_id"]) == (SOURCE_IP, REQUEST_ID)


def test_the_audit_list_is_filtered_by_what_it_shows(olga: str) -> None:
    session("olga@example.com")
    found = call("GET", f"{BASE}/audit-logs", query={"action": "login"}).body["audit_logs"]
    assert [event["action"] for event in found] == ["login"]
