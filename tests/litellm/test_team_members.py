"""Members of teams by LiteLLM's API, and lists of teams (contract litellm 1.4, 2.4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import Answer, call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items
from tests.support.sessions import session_of

TEAM = {"team_id": "acme-dev"}
UNLIMITED = {
    "max_budget_in_team": None,
    "budget_duration": None,
    "tpm_limit": None,
    "rpm_limit": None,
    "allowed_models": None,
    "temp_budget_increase": None,
    "temp_budget_expiry": None,
}


@pytest.fixture(autouse=True)
def team(clock: FakeClock) -> str:
    """A team of an organization; its key."""
    build.organization()
    return str(build.team()["virtual_key"])


def done(answer: Answer) -> Any:
    assert answer.status == 200, answer.text
    return answer.body


def add(member: Any, **more: Any) -> Answer:
    return call("POST", "/team/member_add", TEAM | {"member": member}, **more)


def roles() -> list[tuple[str, str]]:
    shown = done(call("GET", "/team/info", query=TEAM))["team_info"]["members_with_roles"]
    return sorted((member["user_id"], member["role"]) for member in shown)


def deleted(**query: str) -> Any:
    return done(call("GET", "/v2/team/list", query={"status": "deleted"} | query))


def test_deleted_teams_stay_as_they_were() -> None:
    """For the platform only; what is purged leaves nothing."""
    fields = {"team_alias": "Blue", "models": ["fast"], "max_budget": 5, "metadata": {"a": 1}}
    for team_id in ("blue", "red", "purged"):
        done(call("POST", "/team/new", {"team_id": team_id, "organization_id": "org_acme"} | fields))
    row = done(call("GET", "/v2/team/list", query={"team_id": "blue"}))["teams"][0]
    done(call("POST", "/team/delete", {"team_ids": ["blue"]}))
    done(call("POST", "/team/delete", {"team_ids": ["red"]}))
    done(call("DELETE", "/api/teams/purged", query={"force": "true", "purge": "true"}))
    shown = deleted(team_id="blue")
    (copy,) = shown.pop("teams")
    assert shown == {"total": 1, "page": 1, "page_size": 10, "total_pages": 1}
    assert copy | {"updated_at": row["updated_at"]} == row
    assert [team["team_id"] for team in deleted()["teams"]] == ["red", "blue"]
    assert [team["team_id"] for team in deleted(search="BLU", sort_by="team_id")["teams"]] == ["blue", "red"]
    assert deleted(organization_id="org_other")["total"] == 0
    new = done(call("POST", "/team/new", {"team_id": "blue", "metadata": {"b": 2}}))
    assert deleted(team_id="blue")["teams"][0]["metadata"] == {"a": 1} != new["metadata"]
    refused = call("GET", "/v2/team/list", query={"status": "deleted"}, caller=team_admin())
    message = "Only admin users can query deleted teams. Your user role=internal_user"
    assert (refused.status, refused.body) == (401, {"detail": {"error": message}})


def plain_info() -> dict[str, Any]:
    """The team's row as ``/team/info`` has it, but for what only that shows."""
    shown: dict[str, Any] = done(call("GET", "/team/info", query=TEAM))["team_info"]
    assert shown.pop("team_member_budget_table") is None
    return shown


def team_admin(user_id: str = "tom") -> dict[str, str]:
    build.user(user_id)
    build.member("team-member", "acme-dev", user_id, role="team_admin")
    return session_of(user_id)


def test_a_member_with_a_budget() -> None:
    body = TEAM | {
        "member": {"role": "user", "user_id": "Ana 1"},
        "max_budget_in_team": 5,
        "budget_duration": "30d",
        "allowed_models": ["fast"],
    }
    row = done(call("POST", "/team/member_add", body))
    (user,), (membership,) = row.pop("updated_users"), row.pop("updated_team_memberships")
    assert row == plain_info()
    assert row["members_with_roles"] == [{"role": "user", "user_id": "Ana 1", "user_email": None}]
    assert (user["user_id"], user["user_role"]) == ("Ana 1", "internal_user")
    table = membership.pop("litellm_budget_table")
    assert membership == {"user_id": "Ana 1", "team_id": "acme-dev", "budget_id": table["budget_id"], "spend": 0}
    assert (table["max_budget"], table["budget_duration"], table["allowed_models"]) == (5, "30d", ["fast"])
    native = call("GET", "/api/budgets/team-member/acme-dev~Ana%201").body
    assert (native["max_budget"], native["budget_duration"]) == (5, "30d")


def test_of_a_list_only_the_new_ones_are_added() -> None:
    build.user("ana", email="ana@example.com")
    ana, ben = {"role": "user", "user_email": "ANA@example.com"}, {"role": "admin", "user_id": "ben"}
    assert [one["user_id"] for one in done(add([ana]))["updated_team_memberships"]] == ["ana"]
    assert [one["user_id"] for one in done(add([ana, ben, ben]))["updated_team_memberships"]] == ["ben"]
    assert roles() == [("ana", "user"), ("ben", "admin")]
    for again, names in ((ben, "ben"), ([ana, ben], "ana@example.com, ben")):
        refused = add(again)
        assert (refused.status, refused.body) == (
            400,
            {
                "error": {
                    "message": f"User already in team. Member: {names}, team_id=acme-dev",
                    "type": "team_member_already_in_team",
                    "param": "member",
                    "code": "400",
                }
            },
        )


def test_who_is_neither_named_nor_addressed() -> None:
    refused = add({"role": "user"})
    assert refused.status == 422
    assert refused.body["detail"][0]["msg"] == "Value error, Either user id or user email must be provided"


def test_a_team_admin_adds_users_that_are_known_or_have_an_address() -> None:
    caller = team_admin()
    build.user("ana")
    done(add({"role": "user", "user_id": "ana"}, caller=caller))
    done(add({"role": "user", "user_email": "new@example.com"}, caller=caller))
    refused = add({"role": "user", "user_id": "nobody"}, caller=caller)
    message = "User=nobody not found. Only proxy admins can create users by id. team_id=acme-dev"
    assert (refused.status, refused.body) == (403, {"detail": {"error": message}})
    assert "nobody" not in {item.get("user_id") for item in all_items()}


def test_a_member_is_changed() -> None:
    build.user("ana", email="ana@example.com")
    done(add({"role": "user", "user_id": "ana"}))
    body = TEAM | {"user_email": "ana@example.com", "role": "admin", "max_budget_in_team": 7, "rpm_limit": 5}
    assert done(call("POST", "/team/member_update", body)) == UNLIMITED | TEAM | {
        "user_id": "ana",
        "user_email": "ana@example.com",
        "role": "admin",
        "max_budget_in_team": 7,
        "rpm_limit": 5,
    }
    body = TEAM | {"user_id": "ana", "max_budget_in_team": None}
    assert done(call("POST", "/team/member_update", body)) == UNLIMITED | TEAM | {
        "user_id": "ana",
        "user_email": None,
        "role": "admin",
        "rpm_limit": 5,
    }
    assert roles() == [("ana", "admin")]


def test_who_is_removed_loses_his_keys_in_the_team() -> None:
    build.user("ana")
    build.member("team-member", "acme-dev", "ana")
    his, hers = (build.issued_key(**more)["virtual_key"] for more in ({"user_id": "ana"}, {}))
    row = done(call("POST", "/team/member_delete", TEAM | {"user_id": "ana"}))
    assert row["members_with_roles"] == []
    assert call("GET", "/api/teams/verify", caller=key(his)).status == 401
    assert call("GET", "/api/teams/verify", caller=key(hers)).status == 200


@pytest.mark.parametrize("path", ["/team/member_update", "/team/member_delete"])
def test_who_is_no_member(path: str) -> None:
    build.user("ana")
    for user_id in ("ana", "nobody"):
        answer = call("POST", path, TEAM | {"user_id": user_id})
        message = f"User not found in team. Team=acme-dev, user_id={user_id}"
        assert (answer.status, answer.body) == (400, {"detail": {"error": message}})
    answer = call("POST", path, {"team_id": "nope", "user_id": "ana"})
    assert (answer.status, answer.body) == (400, {"detail": {"error": "Team id=nope does not exist in db"}})


def test_members_of_another_team_are_nobody_elses_business() -> None:
    caller = team_admin()
    build.organization("org_other")
    build.team("other-dev", "org_other")
    for path in ("/team/member_add", "/team/member_update", "/team/member_delete", "/team/bulk_member_add"):
        member = {"role": "user", "user_id": "tom"}
        body = {"team_id": "other-dev", "user_id": "tom", "member": member, "members": [member]}
        answer = call("POST", path, body, caller=caller)
        message = f"Call not allowed. User not proxy admin OR team admin. route={path}, team_id=other-dev"
        assert (answer.status, answer.body) == (403, {"detail": {"error": message}})


def test_many_at_once_each_with_his_result() -> None:
    build.user("ana")
    build.member("team-member", "acme-dev", "ana")
    members = [{"role": "user", "user_id": name} for name in ("ana", "ben")]
    answer = done(call("POST", "/team/bulk_member_add", TEAM | {"members": members, "max_budget_in_team": 3}))
    old, added = answer.pop("results")
    assert (old["success"], old["error"], old["updated_user"]) == (
        False,
        "User already in team. Member: ana, team_id=acme-dev",
        None,
    )
    assert (added["success"], added["error"], added["updated_user"]["user_id"]) == (True, None, "ben")
    assert added["updated_team_membership"]["litellm_budget_table"]["max_budget"] == 3
    assert answer == TEAM | {
        "total_requested": 2,
        "successful_additions": 1,
        "failed_additions": 1,
        "updated_team": plain_info(),
    }
    for wanted in ([], members * 251):
        refused = call("POST", "/team/bulk_member_add", TEAM | {"members": wanted})
        message = f"Between 1 and 500 members can be added at once. Received: {len(wanted)}"
        assert (refused.status, refused.body) == (400, {"detail": {"error": message}})


def listed(path: str = "/team/list", caller: dict[str, str] | None = None, **query: str) -> list[str]:
    more = {"caller": caller} if caller is not None else {}
    answer = done(call("GET", path, query=query, **more))
    return [team["team_id"] for team in (answer if path == "/team/list" else answer["teams"])]


def test_the_list_has_everything_by_alias(team: str) -> None:
    done(call("POST", "/team/new", {"team_id": "b", "team_alias": "zebra"}))
    done(call("POST", "/team/new", {"team_id": "c", "team_alias": "Aardvark"}))
    done(add({"role": "user", "user_id": "ana"}))
    assert listed() == ["c", "acme-dev", "b"]
    assert listed(organization_id="org_acme") == ["acme-dev"]
    assert listed(organization_id="default_organization") == ["c", "b"]
    assert listed(organization_id="org_nobody") == []
    assert listed(user_id="ana") == ["acme-dev"]
    assert listed(user_id="nobody") == []
    (row,) = done(call("GET", "/team/list", query={"user_id": "ana"}))
    (own_key,), (membership,) = row.pop("keys"), row.pop("team_memberships")
    assert (own_key["team_id"], membership["user_id"]) == ("acme-dev", "ana")
    assert row == plain_info()


@pytest.mark.parametrize("path", ["/team/list", "/v2/team/list"])
def test_users_list_their_own_teams(path: str) -> None:
    done(call("POST", "/team/new", {"team_id": "b"}))
    caller = team_admin("tom")
    assert listed(path, caller, user_id="tom") == ["acme-dev"]
    build.user("olga")
    build.member("organization-member", "org_acme", "olga", role="org_admin")
    assert listed(path, session_of("olga"), organization_id="org_acme") == ["acme-dev"]
    for query in ({}, {"user_id": "ana"}, {"organization_id": "org_acme"}, {"organization_id": "default_organization"}):
        answer = call("GET", path, query=query, caller=caller)
        message = "Only admin users can query all teams/other teams. Your user role=internal_user"
        assert (answer.status, answer.body) == (401, {"detail": {"error": message}})


def test_pages_with_totals(clock: FakeClock) -> None:
    for number in range(4):
        clock.advance(seconds=1)
        done(call("POST", "/team/new", {"team_id": f"t{number}", "team_alias": f"Team {3 - number}"}))
    page = done(call("GET", "/v2/team/list", query={"page": "2", "page_size": "2"}))
    assert [team["team_id"] for team in page.pop("teams")] == ["t1", "t0"]
    assert page == {"total": 5, "page": 2, "page_size": 2, "total_pages": 3}
    (row,) = done(call("GET", "/v2/team/list", query={"team_id": "acme-dev"}))["teams"]
    assert (row["members_count"], row["keys_count"]) == (0, 1)
    path = "/v2/team/list"
    assert listed(path, search="TEAM") == ["t3", "t2", "t1", "t0"]
    assert listed(path, search="team", sort_by="team_alias") == ["t3", "t2", "t1", "t0"]
    assert listed(path, search="t", sort_by="team_id", sort_order="desc", page_size="1") == ["t3"]
    assert listed(path, sort_by="created_at") == ["acme-dev", "t0", "t1", "t2", "t3"]
    assert listed(path, sort_by="created_at", sort_order="desc", page_size="1") == ["t3"]
    assert listed(path, team_alias="m 2") == ["t1"]
    assert listed(path, organization_id="org_acme") == ["acme-dev"]
    assert listed(path, page="9") == []
    assert done(call("GET", path, query={"organization_id": "default_organization"}))["total"] == 4


@pytest.mark.parametrize(
    ("query", "kind"), [({"page": "0"}, "greater_than_equal"), ({"page_size": "101"}, "less_than_equal")]
)
def test_pages_have_bounds(query: dict[str, str], kind: str) -> None:
    answer = call("GET", "/v2/team/list", query=query)
    assert (answer.status, answer.body["detail"][0]["type"]) == (422, kind)
    assert answer.body["detail"][0]["loc"] == ["query", *query]
