"""What members do by themselves: join an open team, look at their membership; and what is done for them (contract 1.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.litellm.test_teams import admin_of, done, e1, info, new
from tests.support import build
from tests.support.api import call, key
from tests.support.clock import FakeClock
from tests.support.sessions import session_of
from tollgate import settings as environment
from tollgate.limits.model import Scope
from tollgate.tenants.budgets import AdjustSpend, budget_service


@pytest.fixture(autouse=True)
def world(empty_table: None, clock: FakeClock) -> None:
    build.organization()
    build.team()
    build.user("ana")
    build.member("team-member", "acme-dev", "ana", max_budget=5)


@pytest.fixture
def open_teams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody may join ``lobby``; and ``gone``, if it were there."""
    opened = replace(environment.settings(), available_teams=("lobby", "gone"))
    for module in ("tollgate.tenants.members", "tollgate.litellm.team_members", "tollgate.litellm.team_lists"):
        monkeypatch.setattr(f"{module}.settings", lambda: opened)
    new(team_id="lobby", members_with_roles=[])


def join(caller: dict[str, str], team_id: str = "lobby", **member: Any) -> Any:
    body = {"team_id": team_id, "member": {"role": "user"} | member}
    return call("POST", "/team/member_add", body, caller=caller)


def spend(amount: int) -> None:
    budget_service().adjust(
        build.owner(), Scope.TEAM_MEMBER, "acme-dev~ana", AdjustSpend.model_validate({"spend": amount})
    )


def test_a_user_joins_a_team_that_is_open_to_all(open_teams: None) -> None:
    ana = session_of("ana")
    row = info("lobby")["team_info"]
    del row["team_member_budget_table"]
    assert done(call("GET", "/team/available", caller=ana)) == [row]
    joined = done(join(ana, user_id="ana"))
    assert joined["members_with_roles"] == [{"role": "user", "user_id": "ana", "user_email": None}]
    membership = {"user_id": "ana", "team_id": "lobby", "budget_id": None, "spend": 0, "litellm_budget_table": None}
    assert joined["updated_team_memberships"] == [membership]
    assert done(call("GET", "/team/lobby/members/me", caller=ana)) == membership
    assert done(call("GET", "/team/available", caller=ana)) == []
    again = join(ana, user_id="ana")
    message = "User already in team. Member: ana, team_id=lobby"
    assert (again.status, again.body) == e1(400, message, "team_member_already_in_team", "member")


@pytest.mark.parametrize(
    ("team_id", "member"),
    [
        ("acme-dev", {"user_id": "ben"}),
        ("lobby", {"user_id": "ana"}),
        ("lobby", {"user_id": "ben", "role": "admin"}),
    ],
)
def test_nobody_joins_any_other_way(open_teams: None, team_id: str, member: dict[str, str]) -> None:
    build.user("ben")
    refused = join(session_of("ben"), team_id, **member)
    message = f"Call not allowed. User not proxy admin OR team admin. route=/team/member_add, team_id={team_id}"
    assert (refused.status, refused.body) == (403, {"detail": {"error": message}})


def test_an_open_team_that_is_not_there(open_teams: None) -> None:
    refused = join(session_of("ana"), "gone", user_id="ana")
    assert (refused.status, refused.body) == (404, {"detail": {"error": "Team not found, passed team_id=gone"}})


def test_no_team_is_open_unless_it_is_said_to_be() -> None:
    assert done(call("GET", "/team/available", caller=session_of("ana"))) == []
    assert join(session_of("ana"), user_id="ana").status == 403


def test_ones_own_membership() -> None:
    shown = done(call("GET", "/team/acme-dev/members/me", caller=session_of("ana")))
    assert (shown["user_id"], shown["litellm_budget_table"]["max_budget"]) == ("ana", 5)
    build.user("ben")
    for caller, who in ((session_of("ben"), "ben"), (None, None)):
        for team_id in ("acme-dev", "nope"):
            more = {"caller": caller} if caller is not None else {}
            refused = call("GET", f"/team/{team_id}/members/me", **more)
            message = f"User={who} is not a member of team={team_id}"
            assert (refused.status, refused.body) == (404, {"detail": {"error": message}})


@pytest.mark.parametrize("verb", ["reset_spend", "reset_budget"])
def test_what_a_member_spent_is_forgiven(verb: str) -> None:
    """By whoever manages the members (Q-45)."""
    build.user("tess")
    build.member("team-member", "acme-dev", "tess", role="team_admin")
    for caller in (None, session_of("tess"), admin_of("org_acme")):
        spend(4)
        more = {"caller": caller} if caller is not None else {}
        row = done(call("POST", f"/team/acme-dev/member/ana/{verb}", {"reset_to": 1}, **more))
        assert (row["user_id"], row["spend"], row["litellm_budget_table"]["max_budget"]) == ("ana", 1, 5)


def test_what_is_not_forgiven() -> None:
    path = "/team/acme-dev/member/{}/reset_spend"
    more = call("POST", path.format("ana"), {"reset_to": 6})
    message = "reset_to (6) must be less than or equal to current spend (0)"
    assert (more.status, more.body) == (400, {"detail": {"error": message}})
    nobody = call("POST", path.format("ben"), {"reset_to": 0})
    message = "User not found in team. Team=acme-dev, user_id=ben"
    assert (nobody.status, nobody.body) == (400, {"detail": {"error": message}})
    assert call("POST", path.format("ana"), {"reset_to": 0}, caller=session_of("ana")).status == 401
    build.organization("org_other")
    assert call("POST", path.format("ana"), {"reset_to": 0}, caller=admin_of("org_other")).status == 403
    assert call("POST", "/team/nope/member/ana/reset_spend", {"reset_to": 0}).status == 404
    assert call("POST", path.format("%3C%7F"), {"reset_to": 0}).status == 400


def test_many_keys_of_ones_team() -> None:
    """Of a key that one has no right over nothing is told."""
    build.user("tess")
    build.member("team-member", "acme-dev", "tess", role="team_admin")
    own = done(call("POST", "/key/generate", {"team_id": "acme-dev"}))["token"]
    new(team_id="other")
    foreign = done(call("POST", "/key/generate", {"team_id": "other"}))["token"]
    body = {"keys": [{"key": own, "max_budget": 3, "tags": ["a"]}, {"key": foreign, "max_budget": 3}]}
    answer = done(call("POST", "/team/key/bulk_update", body, caller=session_of("tess")))
    (updated,) = answer.pop("successful_updates")
    shown = done(call("GET", "/key/info", query={"key": own}))["info"]
    assert updated == {"key": own, "key_info": shown}
    assert (shown["max_budget"], shown["tags"]) == (3, ["a"])
    reason = "You are not allowed to change this key. Your role=internal_user"
    failed = {"key": foreign, "key_info": None, "failed_reason": reason}
    assert answer == {"total_requested": 2, "failed_updates": [failed]}
    of_one = done(call("POST", "/team/key/bulk_update", {"team_id": "acme-dev"} | body))
    assert [entry["failed_reason"] for entry in of_one["failed_updates"]] == ["Key not found."]
    for routes, number in (["/team/key/bulk_update"], 1), (["/key/update"], 0):
        done(call("POST", "/team/permissions_update", {"team_id": "acme-dev", "team_member_permissions": routes}))
        ana = key(done(call("POST", "/key/generate", {"user_id": "ana"}))["key"])
        answer = done(call("POST", "/team/key/bulk_update", body, caller=ana))
        assert len(answer["successful_updates"]) == number
