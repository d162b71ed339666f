"""Teams suspended, paused, resumed, given new keys, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key, problem
from tests.support.items import all_items, audit_events, kinds_left, organization_counts
from tollgate.auth.credentials import key_id_of
from tollgate.table.transactions import Work

MISSING = problem(404, "not_found", "Team 'acme-dev' not found")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_suspend_and_resume(method: str) -> None:
    build.organization()
    caller = key(build.team()["virtual_key"])
    suspended = call(method, "/api/teams/acme-dev/suspend")
    assert (suspended.status, suspended.body) == (
        200,
        {"team_id": "acme-dev", "status": "suspended", "message": "Team 'acme-dev' has been suspended"},
    )
    assert organization_counts()[:2] == (1, 0)
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
    assert organization_counts()[:2] == (1, 1)
    assert call("GET", "/api/teams/acme-dev", caller=caller).status == 200


def test_pause_and_resume() -> None:
    build.organization()
    caller = key(build.team()["virtual_key"])
    paused = call("POST", "/api/teams/acme-dev/pause", {"reason": "maintenance"})
    assert paused.body == {"team_id": "acme-dev", "status": "paused", "message": "Team 'acme-dev' has been paused"}
    assert (build.team_details()["status_reason"], organization_counts()[:2]) == ("maintenance", (1, 0))
    refused = call("GET", "/api/credits/balance", query={"team_id": "acme-dev"}, caller=caller)
    assert (refused.status, refused.body) == (403, problem(403, "team_paused", "Team access temporarily paused"))
    call("POST", "/api/teams/acme-dev/resume", {"reason": "done"})
    assert (build.team_details()["status"], build.team_details()["status_reason"]) == ("active", None)


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
    assert organization_counts()[:2] == (1, 0)


def test_resume_never_unblocks() -> None:
    from tollgate.table import keys
    from tollgate.teams.items import TeamItem

    build.organization()
    caller = key(build.team()["virtual_key"])
    TeamItem(PK=keys.team("acme-dev"), SK=keys.ENTITY, version=1).update([TeamItem.blocked.set(True)])
    call("POST", "/api/teams/acme-dev/suspend")
    call("POST", "/api/teams/acme-dev/resume")
    assert build.team_details()["blocked"] is True
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
    assert (build.team_details()["virtual_key"], build.team_details()["key_id"]) == (
        f"sk-...{new[-4:]}",
        key_id_of(new),
    )


def test_delete_needs_force_while_active() -> None:
    build.organization()
    build.team()
    before = all_items()
    answer = call("DELETE", "/api/teams/acme-dev")
    message = "Team 'acme-dev' is active; suspend it first or delete it with force=true"
    assert (answer.status, answer.body) == (409, problem(409, "team_active", message))
    assert all_items() == before
    assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).status == 200
    assert organization_counts() == (0, 0, 0)


def test_delete_takes_all_but_the_books() -> None:
    build.organization()
    old = build.team(credits_allocated=100, access_groups=["gpt-models"])["virtual_key"]
    build.issued_key()
    call("POST", "/api/teams/acme-dev/suspend")
    answer = call("DELETE", "/api/teams/acme-dev")
    assert (answer.status, answer.body) == (
        200,
        {"team_id": "acme-dev", "deleted": True, "state": "done", "keys_deleted": 2},
    )
    assert kinds_left() == {
        "organization",
        "metadata",
        "audit_event",
        "transaction",
        "access_group",
        "deletion",
    }
    assert organization_counts() == (0, 0, 0)
    assert call("GET", "/api/teams/acme-dev").body == MISSING
    assert call("GET", "/api/teams/acme-dev", caller=key(old)).status == 401
    assert call("DELETE", "/api/teams/acme-dev").body == MISSING
    build.team()
    assert (build.team_details()["credits_allocated"], build.team_details()["access_groups"]) == (0, [])
    assert call("GET", "/api/credits/transactions", query={"team_id": "acme-dev"}).body["total"] == 0


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
        "team.closed",
        "team.deleted",
    ]
    assert {(event["resource_id"], event["organization_id"]) for event in events} == {("acme-dev", "org_acme")}
    updated, suspended = events[1:3]
    assert (updated["before"], updated["after"]) == ('{"team_alias":"acme-dev"}', '{"team_alias":"New"}')
    assert suspended["after"] == '{"status":"suspended","status_reason":"unpaid"}'


def test_every_key_that_goes_with_its_team_leaves_an_event() -> None:
    build.organization()
    virtual_keys = [build.team()["virtual_key"], build.issued_key()["virtual_key"]]
    call("DELETE", f"/api/teams/acme-dev/keys/{key_id_of(virtual_keys[1])}")
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    events = {event["resource_id"]: event for event in audit_events() if event["action"] == "key.deleted"}
    assert [json.loads(events[key_id_of(text)]["before"])["status"] for text in virtual_keys] == ["active", "revoked"]
    assert {(event["resource_type"], event["organization_id"]) for event in events.values()} == {("key", "org_acme")}


def test_more_keys_than_a_transaction_takes_with_their_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a batch has, and one more: no transaction has over a hundred writes."""
    build.organization()
    build.team()
    for number in range(20):
        build.budget("shared", f"row-{number}", max_budget=1)
        build.issued_key(budget_id=f"row-{number}")
    sizes: list[int] = []
    send = Work._send

    def counted(work: Work, steps: list[Any]) -> None:
        sizes.append(len(steps))
        send(work, steps)

    monkeypatch.setattr(Work, "_send", counted)
    answer = call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    assert answer.body["keys_deleted"] == len([e for e in audit_events() if e["action"] == "key.deleted"]) == 21
    assert max(sizes) == 82
    assert {item["uses"] for item in all_items() if item["kind"] == "budget"} == {0}


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
