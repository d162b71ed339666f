"""Teams, from the front."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events
from tollgate.auth.credentials import key_id_of
from tollgate.teams.model import MAX_ACCESS_GROUPS

NOW = "2026-03-01T12:00:00Z"
MISSING = problem(404, "not_found", "Team 'acme-dev' not found")
SEED = {
    "organization_id": "org_acme",
    "team_id": "acme-prod",
    "team_alias": "ACME Production",
    "access_groups": ["gpt-models"],
    "credits_allocated": 1000,
}


def get(team_id: str = "acme-dev") -> dict[str, Any]:
    body: dict[str, Any] = call("GET", f"/api/teams/{team_id}").body
    return body


def counts() -> tuple[int, int, int]:
    """The organization's stored counters: teams, active teams, credits allocated."""
    (item,) = [item for item in all_items() if item["kind"] == "organization"]
    return item["team_count"], item["active_team_count"], item["total_credits_allocated"]


def links() -> set[tuple[str, str]]:
    """Access group and team of every stored link."""
    return {(item["PK"], item["team_id"]) for item in all_items() if item["kind"] == "group_link"}


def test_create(clock: FakeClock) -> None:
    build.organization()
    answer = call("POST", "/api/teams/create", SEED)
    assert answer.status == 200
    virtual_key = answer.body.pop("virtual_key")
    assert re.fullmatch(r"sk-[0-9a-f]{32}", virtual_key)
    assert answer.body == {
        "team_id": "acme-prod",
        "organization_id": "org_acme",
        "team_alias": "ACME Production",
        "credits_allocated": 1000,
        "credits_remaining": 1000,
        "status": "active",
        "access_groups": ["gpt-models"],
        "budget_mode": "job_based",
        "credits_per_dollar": 10,
        "tokens_per_credit": 10000,
        "cost_markup_percentage": 0,
        "blocked": False,
        "created_at": NOW,
    }
    assert counts() == (1, 1, 1000)
    assert links() == {("GROUP#gpt-models#TEAMS", "acme-prod")}
    assert not [item for item in all_items() if virtual_key in str(item)]


def test_create_stores_the_counter_that_calls_write() -> None:
    build.organization()
    build.team(credits_allocated=7)
    (account,) = [item for item in all_items() if item["kind"] == "account"]
    assert {name: value for name, value in account.items() if len(name) < 3 and name.islower()} == {
        "av": Decimal(7),
        "al": Decimal(7),
        "h": {},
        "us": Decimal(0),
        "tk": Decimal(0),
        "cn": Decimal(0),
        "sq": Decimal(1),
    }
    assert account["SK"] == "HOT#0"


def test_create_takes_the_other_name_of_access_groups() -> None:
    build.organization()
    assert build.team(model_groups=["gpt-models", "gpt-models", "*"])["access_groups"] == ["gpt-models", "*"]
    both = {"organization_id": "org_acme", "team_id": "x1", "access_groups": [], "model_groups": []}
    assert call("POST", "/api/teams/create", both).status == 422


def test_create_without_the_optional_fields() -> None:
    build.organization()
    team = build.team()
    assert (team["team_alias"], team["access_groups"], team["credits_allocated"]) == ("acme-dev", [], 0)
    assert call("GET", "/api/credits/transactions", query={"team_id": "acme-dev"}).body["total"] == 0


def test_create_refusals() -> None:
    build.organization()
    build.team("acme-prod")
    before = all_items()
    taken = call("POST", "/api/teams/create", SEED)
    assert (taken.status, taken.body) == (400, problem(400, "team_exists", "Team 'acme-prod' already exists"))
    nowhere = call("POST", "/api/teams/create", SEED | {"organization_id": "org_nobody"})
    assert (nowhere.status, nowhere.body) == (
        404,
        problem(404, "not_found", "Organization 'org_nobody' not found"),
    )
    unknown = call("POST", "/api/teams/create", SEED | {"team_id": "acme-new", "access_groups": ["gpt-models", "x"]})
    message = "Unknown access group 'x'"
    assert (unknown.status, unknown.body) == (
        422,
        problem(422, "unknown_access_group", message, errors=[{"field": "access_groups", "message": message}]),
    )
    assert all_items() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("credits_allocated", -1),
        ("credits_allocated", 1.5),
        ("credits_allocated", True),
        ("credits_allocated", "5"),
        ("credits_per_dollar", 0),
        ("credits_per_dollar", True),
        ("tokens_per_credit", 0),
        ("tokens_per_credit", 1.5),
        ("cost_markup_percentage", -0.01),
        ("cost_markup_percentage", 1000),
        ("cost_markup_percentage", 1.001),
        ("budget_mode", "free"),
        ("team_alias", ""),
        ("team_alias", "a\nb"),
        ("access_groups", "gpt-models"),
        ("access_groups", [f"g{number}" for number in range(MAX_ACCESS_GROUPS + 1)]),
        ("metadata", {"a": "x" * 11_000}),
    ],
)
def test_create_names_the_field_that_is_wrong(field: str, value: object) -> None:
    build.organization()
    answer = call("POST", "/api/teams/create", SEED | {field: value})
    assert answer.status == 422
    assert [error["field"].split(".")[0] for error in answer.body["errors"]] == [field]


def test_get(clock: FakeClock) -> None:
    build.organization()
    created = build.team(credits_allocated=1000, metadata={"env": "dev"}, access_groups=["gpt-models"])
    assert get() == {
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "team_alias": "acme-dev",
        "virtual_key": f"sk-...{created['virtual_key'][-4:]}",
        "credits_allocated": 1000,
        "credits_remaining": 1000,
        "credits_used": 0,
        "credits_reserved": 0,
        "access_groups": ["gpt-models"],
        "status": "active",
        "status_reason": None,
        "blocked": False,
        "budget_mode": "job_based",
        "credits_per_dollar": 10,
        "tokens_per_credit": 10000,
        "cost_markup_percentage": 0,
        "key_id": key_id_of(created["virtual_key"]),
        "metadata": {"env": "dev"},
        "usage_summary": {"total_jobs": 0, "total_cost_usd": 0},
        "created_at": NOW,
        "updated_at": NOW,
    }


def test_a_team_reads_itself_with_its_own_key() -> None:
    build.organization()
    created = build.team(credits_allocated=1)
    answer = call("GET", "/api/teams/acme-dev", caller=key(created["virtual_key"]))
    assert (answer.status, answer.body) == (200, get())
    assert created["virtual_key"] not in answer.text


def test_list(clock: FakeClock) -> None:
    build.organization("org_acme")
    build.organization("org_other")
    build.team("acme-dev", credits_allocated=5)
    clock.advance(seconds=1)
    build.team("acme-prod", team_alias="Production")
    clock.advance(seconds=1)
    build.team("other-dev", "org_other")
    call("POST", "/api/teams/acme-prod/suspend")

    def listed(**query: str) -> list[str]:
        return [team["team_id"] for team in call("GET", "/api/teams", query=query).body["teams"]]

    assert listed() == ["other-dev", "acme-prod", "acme-dev"]
    assert listed(organization_id="org_acme") == ["acme-prod", "acme-dev"]
    assert listed(organization_id="none") == []
    assert listed(search="DEV") == ["other-dev", "acme-dev"]
    assert listed(search="product") == ["acme-prod"]
    assert listed(status="suspended") == ["acme-prod"]
    assert listed(organization_id="org_acme", status="active") == ["acme-dev"]
    assert listed(limit="1", offset="2") == ["acme-dev"]
    nobody = call("GET", "/api/teams", query={"organization_id": "org_nobody"})
    assert (nobody.status, nobody.body["detail"]) == (404, "Organization 'org_nobody' not found")
    page = call("GET", "/api/teams", query={"search": "acme-dev"})
    assert page.body == {
        "teams": [
            {
                "team_id": "acme-dev",
                "organization_id": "org_acme",
                "team_alias": "acme-dev",
                "virtual_key": get("acme-dev")["virtual_key"],
                "credits_allocated": 5,
                "credits_remaining": 5,
                "status": "active",
                "access_groups": [],
                "budget_mode": "job_based",
                "credits_per_dollar": 10,
                "tokens_per_credit": 10000,
                "cost_markup_percentage": 0,
                "blocked": False,
                "created_at": NOW,
            }
        ],
        "next_cursor": None,
        "truncated": False,
    }


def test_update_changes_what_is_sent(clock: FakeClock) -> None:
    build.organization()
    build.team(access_groups=["gpt-models", "fast-models"], metadata={"a": 1}, credits_allocated=5)
    before = get()
    clock.advance(hours=1)
    request = {
        "team_alias": "ACME Production (Updated)",
        "access_groups": ["gpt-models", "claude-models"],
        "metadata": {"environment": "production", "contact": "tech@acme.com"},
        "budget_mode": "consumption_usd",
        "credits_per_dollar": 12.5,
        "cost_markup_percentage": 20.25,
    }
    answer = call("PUT", "/api/teams/acme-dev", request)
    assert answer.status == 200
    assert answer.body == before | request | {"updated_at": "2026-03-01T13:00:00Z"}
    assert answer.body == get()
    assert links() == {("GROUP#gpt-models#TEAMS", "acme-dev"), ("GROUP#claude-models#TEAMS", "acme-dev")}


def test_null_puts_a_field_back_to_its_default() -> None:
    build.organization()
    settings = {
        "access_groups": ["gpt-models"],
        "metadata": {"a": 1},
        "budget_mode": "consumption_usd",
        "credits_per_dollar": 5,
        "tokens_per_credit": 5,
        "cost_markup_percentage": 5,
    }
    build.team(**settings)
    answer = call("PUT", "/api/teams/acme-dev", dict.fromkeys([*settings, "team_alias"]))
    assert answer.status == 200
    assert {name: answer.body[name] for name in [*settings, "team_alias"]} == {
        "access_groups": [],
        "metadata": {},
        "budget_mode": "job_based",
        "credits_per_dollar": 10,
        "tokens_per_credit": 10000,
        "cost_markup_percentage": 0,
        "team_alias": None,
    }
    assert links() == set()


def test_a_full_list_of_groups_is_replaced_by_another_full_one() -> None:
    build.organization()
    groups = [f"group-{number}" for number in range(2 * MAX_ACCESS_GROUPS)]
    for name in groups:
        build.access_group(name)
    first, second = groups[:MAX_ACCESS_GROUPS], groups[MAX_ACCESS_GROUPS:]
    build.team(access_groups=first)
    assert call("PUT", "/api/teams/acme-dev", {"access_groups": second}).body["access_groups"] == second
    assert {group for group, _ in links()} == {f"GROUP#{name}#TEAMS" for name in second}


def test_update_with_an_unknown_group_changes_nothing() -> None:
    build.organization()
    build.team(access_groups=["gpt-models"])
    before = all_items()
    answer = call("PUT", "/api/teams/acme-dev", {"team_alias": "x", "access_groups": ["nope"]})
    assert (answer.status, answer.body["detail"]) == (422, "Unknown access group 'nope'")
    assert all_items() == before


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_suspend_and_resume(method: str) -> None:
    build.organization()
    caller = key(build.team()["virtual_key"])
    suspended = call(method, "/api/teams/acme-dev/suspend")
    assert (suspended.status, suspended.body) == (
        200,
        {"team_id": "acme-dev", "status": "suspended", "message": "Team 'acme-dev' has been suspended"},
    )
    assert counts()[:2] == (1, 0)
    refused = call("GET", "/api/teams/acme-dev", caller=caller)
    assert (refused.status, refused.body) == (
        403,
        problem(403, "team_suspended", "Team access suspended - contact support"),
    )
    resumed = call(method, "/api/teams/acme-dev/resume")
    assert (resumed.status, resumed.body) == (
        200,
        {"team_id": "acme-dev", "status": "active", "message": "Team 'acme-dev' has been resumed"},
    )
    assert counts()[:2] == (1, 1)
    assert call("GET", "/api/teams/acme-dev", caller=caller).status == 200


def test_pause_and_resume() -> None:
    build.organization()
    caller = key(build.team()["virtual_key"])
    paused = call("POST", "/api/teams/acme-dev/pause", {"reason": "maintenance"})
    assert paused.body == {"team_id": "acme-dev", "status": "paused", "message": "Team 'acme-dev' has been paused"}
    assert (get()["status_reason"], counts()[:2]) == ("maintenance", (1, 0))
    refused = call("GET", "/api/credits/balance", query={"team_id": "acme-dev"}, caller=caller)
    assert (refused.status, refused.body) == (403, problem(403, "team_paused", "Team access temporarily paused"))
    call("POST", "/api/teams/acme-dev/resume", {"reason": "done"})
    assert (get()["status"], get()["status_reason"]) == ("active", None)


def test_states_that_do_not_change() -> None:
    build.organization()
    build.team()
    call("POST", "/api/teams/acme-dev/suspend", {"reason": "unpaid"})
    before = all_items()
    again = call("POST", "/api/teams/acme-dev/suspend", {"reason": "other"})
    assert (again.status, again.body["status"]) == (200, "suspended")
    paused = call("POST", "/api/teams/acme-dev/pause")
    assert (paused.status, paused.body) == (409, problem(409, "wrong_state", "Team 'acme-dev' is suspended"))
    assert all_items() == before


def test_a_paused_team_can_be_suspended() -> None:
    build.organization()
    build.team()
    call("POST", "/api/teams/acme-dev/pause")
    assert call("POST", "/api/teams/acme-dev/suspend").body["status"] == "suspended"
    assert counts()[:2] == (1, 0)


def test_resume_never_unblocks() -> None:
    from tollgate.table import keys
    from tollgate.teams.items import TeamItem

    build.organization()
    caller = key(build.team()["virtual_key"])
    TeamItem(PK=keys.team("acme-dev"), SK=keys.ENTITY, version=1).update([TeamItem.blocked.set(True)])
    call("POST", "/api/teams/acme-dev/suspend")
    call("POST", "/api/teams/acme-dev/resume")
    assert get()["blocked"] is True
    refused = call("GET", "/api/teams/acme-dev", caller=caller)
    assert (refused.status, refused.body["detail"]) == (403, "Team is blocked")


def test_rotate_replaces_the_primary_key_at_once() -> None:
    build.organization()
    old = build.team()["virtual_key"]
    further = build.issued_key()["virtual_key"]
    answer = call("POST", "/api/teams/acme-dev/rotate-key")
    new = answer.body["virtual_key"]
    assert answer.body == {"team_id": "acme-dev", "virtual_key": new, "key_id": key_id_of(new)}
    assert new != old
    assert call("GET", "/api/teams/acme-dev", caller=key(old)).status == 401
    assert call("GET", "/api/teams/acme-dev", caller=key(new)).status == 200
    assert call("GET", "/api/teams/acme-dev", caller=key(further)).status == 200
    assert (get()["virtual_key"], get()["key_id"]) == (f"sk-...{new[-4:]}", key_id_of(new))


def test_delete_needs_force_while_active() -> None:
    build.organization()
    build.team()
    before = all_items()
    answer = call("DELETE", "/api/teams/acme-dev")
    message = "Team 'acme-dev' is active; suspend it first or delete it with force=true"
    assert (answer.status, answer.body) == (409, problem(409, "team_active", message))
    assert all_items() == before
    assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).status == 200
    assert counts() == (0, 0, 0)


def test_delete_takes_all_but_the_books() -> None:
    build.organization()
    old = build.team(credits_allocated=100, access_groups=["gpt-models"])["virtual_key"]
    build.issued_key()
    call("POST", "/api/teams/acme-dev/suspend")
    answer = call("DELETE", "/api/teams/acme-dev")
    assert (answer.status, answer.body) == (200, {"team_id": "acme-dev", "deleted": True, "keys_deleted": 2})
    assert {item["kind"] for item in all_items()} == {
        "organization",
        "metadata",
        "audit_event",
        "transaction",
        "access_group",
    }
    assert counts() == (0, 0, 0)
    assert call("GET", "/api/teams/acme-dev").body == MISSING
    assert call("GET", "/api/teams/acme-dev", caller=key(old)).status == 401
    assert call("DELETE", "/api/teams/acme-dev").body == MISSING
    build.team()
    assert (get()["credits_allocated"], get()["access_groups"]) == (0, [])
    assert call("GET", "/api/credits/transactions", query={"team_id": "acme-dev"}).body["total"] == 0


@pytest.mark.parametrize("survived", [1, 2])
def test_an_interrupted_deletion_is_finished_by_asking_again(survived: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from tollgate.table.transactions import Work

    build.organization()
    old = build.team(credits_allocated=100, access_groups=["gpt-models"])["virtual_key"]
    commit, left = Work.commit, [survived]

    def dying(work: Work) -> None:
        if not left[0]:
            raise RuntimeError("interrupted")
        left[0] -= 1
        commit(work)

    with monkeypatch.context() as patch:
        patch.setattr(Work, "commit", dying)
        assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).status == 500
    assert call("GET", "/api/teams/acme-dev").body == MISSING
    assert call("GET", "/api/teams").body["teams"] == []
    assert call("POST", "/api/teams/acme-dev/resume").body == MISSING
    assert call("POST", "/api/teams/acme-dev/keys").body == MISSING
    assert call("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 5}).body == MISSING
    assert call("GET", "/api/teams/acme-dev", caller=key(old)).status == 401
    assert call("DELETE", "/api/teams/acme-dev").status == 200
    assert counts() == (0, 0, 0)
    assert not [item for item in all_items() if item["kind"] in {"team", "key", "account", "group_link"}]


def test_writes_leave_audit_events() -> None:
    build.organization()
    build.team(access_groups=["gpt-models"])
    call("PUT", "/api/teams/acme-dev", {"team_alias": "New"})
    call("POST", "/api/teams/acme-dev/suspend", {"reason": "unpaid"})
    call("POST", "/api/teams/acme-dev/resume")
    call("POST", "/api/teams/acme-dev/rotate-key")
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    events = [event for event in audit_events() if event["resource_type"] == "team"]
    assert [event["action"] for event in events] == [
        "team.created",
        "team.updated",
        "team.suspended",
        "team.resumed",
        "team.key_rotated",
        "team.deletion_started",
        "team.deleted",
    ]
    assert {(event["resource_id"], event["organization_id"]) for event in events} == {("acme-dev", "org_acme")}
    updated, suspended = events[1:3]
    assert (updated["before"], updated["after"]) == ('{"team_alias":"acme-dev"}', '{"team_alias":"New"}')
    assert suspended["after"] == '{"status":"suspended","status_reason":"unpaid"}'


def test_a_lost_race_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody changes the team between our read and our write: both changes hold."""
    from tollgate.teams import repository

    build.organization()
    build.team()
    find, raced = repository.find, []

    def racing(team_id: str) -> Any:
        team = find(team_id)
        if not raced:
            raced.append(True)
            call("PUT", "/api/teams/acme-dev", {"team_alias": "theirs"})
        return team

    monkeypatch.setattr(repository, "find", racing)
    answer = call("PUT", "/api/teams/acme-dev", {"metadata": {"ours": 1}})
    assert (answer.status, answer.body["team_alias"], answer.body["metadata"]) == (200, "theirs", {"ours": 1})
