"""The end of teams and organizations: interrupted anywhere, archived or purged, its id free again (Q-21, D-25)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support import build
from tests.support import calls as recorded
from tests.support.accounts import uid_of
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, kinds_left
from tollgate.deletions import repository as deletions
from tollgate.table.transactions import Work
from tollgate.tenants import teardown
from tollgate.tenants.teardown import Deadline, Teardown
from workers import offboard

MISSING = problem(404, "not_found", "Organization 'org_acme' not found")
NO_TEAM = problem(404, "not_found", "Team 'acme-dev' not found")
KEPT = {"audit_event", "transaction", "access_group", "catalogue_version", "deletion"}
# What each transaction of the organization's deletion tells the audit log; freeing an id tells nothing.
STEPS: list[list[str]] = [
    ["organization.closed"],
    *[["team.closed"], []],
    *[["team.closed"], []],
    [],
    *[["key.deleted", "key.deleted"], ["team.deleted"]],
    *[["key.deleted"], ["team.deleted"]],
    ["provider_credential.deleted"],
    ["organization.deleted"],
]
FREED = 6


class DiedError(Exception):
    """The process ended here."""


def busy_organization() -> str:
    """An organization with everything under it, teams suspended; a key of it."""
    build.organization()
    build.access_group()
    team = build.team("acme-dev", access_groups=["acme-models"], credits_allocated=100)
    build.team("acme-prod", access_groups=["gpt-models"])
    build.issued_key("acme-dev")
    build.provider_credential(organization_id="org_acme")
    for name in ("acme-dev", "acme-prod"):
        call("POST", f"/api/teams/{name}/suspend")
    return str(team["virtual_key"])


def left_over() -> set[str]:
    return kinds_left() - KEPT


def dying(patch: pytest.MonkeyPatch, survived: int) -> None:
    """The process dies before the transaction after so many."""
    commit, left = Work.commit, [survived]

    def one(work: Work) -> None:
        if not left[0]:
            raise DiedError
        left[0] -= 1
        commit(work)

    patch.setattr(Work, "commit", one)


def finish(clock: FakeClock) -> None:
    """The worker's runs, after whoever died has lost what he held."""
    for _ in range(3):
        clock.advance(seconds=301)
        offboard.handler({}, None)
    assert not [item for item in all_items() if item.get("DUEPK") == "DELETIONS"]


@pytest.mark.parametrize("survived", range(len(STEPS)))
def test_whoever_dies_anywhere_the_worker_finishes(
    survived: int, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    virtual_key = busy_organization()
    earlier = {event["audit_id"] for event in audit_events()}

    def told() -> list[str]:
        return sorted(event["action"] for event in audit_events() if event["audit_id"] not in earlier)

    def of(steps: list[list[str]]) -> list[str]:
        return sorted(action for step in steps for action in step)

    with monkeypatch.context() as patch:
        dying(patch, survived)
        assert call("DELETE", "/api/organizations/org_acme").status == 500
    assert told() == of(STEPS[:survived])
    if not survived:
        assert call("GET", "/api/organizations/org_acme").status == 200
        assert call("DELETE", "/api/organizations/org_acme").body["state"] == "done"
    else:
        assert call("GET", "/api/organizations/org_acme").body == MISSING
        assert call("GET", "/api/teams/acme-dev", caller=key(virtual_key)).status == 401
        again = call("POST", "/api/organizations/create", {"organization_id": "org_acme", "name": "New"})
        assert again.status == (400 if survived < FREED else 200)
        finish(clock)
        if survived >= FREED:
            assert call("GET", "/api/organizations/org_acme").body["name"] == "New"
            assert call("DELETE", "/api/organizations/org_acme").body["state"] == "done"
    assert left_over() == set()
    assert set(of(STEPS)) <= set(told())
    assert told().count("key.deleted") == 3
    assert told().count("team.deleted") == 2


@pytest.mark.parametrize("survived", range(1, 4))
def test_a_team_that_was_closed_is_gone_for_everybody(
    survived: int, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.organization()
    old = build.team(credits_allocated=100, access_groups=["gpt-models"])["virtual_key"]
    with monkeypatch.context() as patch:
        dying(patch, survived)
        assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).status == 500
    assert call("GET", "/api/teams").body["teams"] == []
    for method, path, body in (
        ("GET", "/api/teams/acme-dev", None),
        ("DELETE", "/api/teams/acme-dev", None),
        ("POST", "/api/teams/acme-dev/resume", None),
        ("POST", "/api/teams/acme-dev/keys", {}),
        ("POST", "/api/credits/add", {"team_id": "acme-dev", "amount": 5}),
    ):
        assert call(method, path, body).body == NO_TEAM
    assert call("GET", "/api/teams/acme-dev", caller=key(old)).status == 401
    finish(clock)
    assert left_over() == {"organization", "metadata"}


def test_a_request_that_runs_out_of_time_answers_and_the_worker_goes_on(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    virtual_key = busy_organization()
    monkeypatch.setattr("tollgate.tenants.offboarding._SECONDS", -1.0)
    answer = call("DELETE", "/api/organizations/org_acme")
    assert (answer.status, answer.body) == (
        200,
        {"organization_id": "org_acme", "deleted": True, "state": "running", "teams_deleted": 0, "keys_deleted": 0},
    )
    assert call("GET", "/api/organizations/org_acme").body == MISSING
    assert call("GET", "/api/teams/acme-dev", caller=key(virtual_key)).status == 401
    # It was given back at once: nobody has to wait for a lease to end.
    assert offboard.handler({}, None) == {"finished": 1, "left": 0}
    assert call("GET", "/api/teams/acme-dev").body == NO_TEAM
    assert left_over() == set()


def test_a_run_ends_when_its_time_is_over(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    busy_organization()
    monkeypatch.setattr("tollgate.tenants.offboarding._SECONDS", -1.0)
    call("DELETE", "/api/organizations/org_acme")
    assert (Teardown(clock).run_due(-1.0).left, left_over() == set()) == (1, False)
    assert Teardown(clock).run_due(60.0).finished == 1
    assert left_over() == set()


def test_what_one_process_is_at_another_leaves_alone(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    busy_organization()
    with monkeypatch.context() as patch:
        dying(patch, 3)
        call("DELETE", "/api/organizations/org_acme")
    clock.advance(seconds=59)
    assert offboard.handler({}, None) == {"finished": 0, "left": 0}
    uid = deletions.search(_page(), teams=False, text=None, organization_id=None).entries[0].uid
    clock.advance(seconds=2)
    late = deletions.find(uid)
    assert late is not None
    finish(clock)
    # Whoever held it before comes back from the dead, and can do nothing any more.
    assert Teardown(clock).run(late, Deadline(60)) is False
    assert left_over() == set()


def _page() -> Any:
    from tollgate.core.pagination import PageRequest

    return PageRequest(10)


def test_a_failure_is_told_and_keeps_nobody_else_waiting(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    build.organization()
    for name in ("acme-dev", "acme-prod"):
        build.team(name)
    with monkeypatch.context() as patch:
        patch.setattr("tollgate.tenants.offboarding._SECONDS", -1.0)
        for name in ("acme-dev", "acme-prod"):
            call("DELETE", f"/api/teams/{name}", query={"force": "true"})
    end_jobs = Teardown._end_jobs
    unlucky = uid_of_deleted("acme-dev")

    def failing(self: Teardown, deletion: Any, deadline: Deadline) -> None:
        if deletion.uid == unlucky:
            raise DiedError
        end_jobs(self, deletion, deadline)

    with monkeypatch.context() as patch:
        patch.setattr(Teardown, "_end_jobs", failing)
        with pytest.raises(offboard.DeletionsFailedError, match="1 deletions"):
            offboard.handler({}, None)
    states = {team["team_id"]: team["state"] for team in deleted("teams")}
    assert states == {"acme-dev": "running", "acme-prod": "done"}
    finish(clock)
    assert {team["state"] for team in deleted("teams")} == {"done"}


def deleted(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call("GET", f"/api/{kind}", query={"status": "deleted"}).body[kind]
    return found


def uid_of_deleted(team_id: str) -> str:
    return next(str(team["uid"]) for team in deleted("teams") if team["team_id"] == team_id)


def test_open_jobs_are_in_the_way() -> None:
    build.organization()
    build.team(credits_allocated=10)
    build.job("acme-dev")
    call("POST", "/api/teams/acme-dev/suspend")
    message = "Organization has open jobs; complete or cancel them"
    assert call("DELETE", "/api/organizations/org_acme").body == problem(409, "open_jobs", message)
    message = "Team 'acme-dev' has open jobs; complete or cancel them, or delete it with force=true"
    assert call("DELETE", "/api/teams/acme-dev").body == problem(409, "open_jobs", message)
    assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).body["state"] == "done"
    (job,) = [item for item in all_items() if item["kind"] == "job"]
    assert (job["status"], job["error_message"]) == ("cancelled", "The team was deleted")


@pytest.fixture
def used() -> tuple[str, str]:
    """A team with calls that are counted, a job and a tag, deleted or about to be: its uid and its organization's."""
    build.organization()
    build.team(credits_allocated=10)
    uids = uid_of({"team_id": "acme-dev"}), uid_of({"organization_id": "org_acme"})
    at = datetime.fromtimestamp(time.time(), UTC)
    whose = {"team_id": "acme-dev", "team_uid": uids[0], "organization_id": "org_acme", "organization_uid": uids[1]}
    records = [recorded.record(at, key_id="k", customer_id="c", tags=["batch"], **whose) for _ in range(3)]
    other = recorded.record(at, team_uid="another", customer_id="c")
    recorded.counted([*records, other])
    build.job("acme-dev")
    call("POST", "/api/teams/acme-dev/suspend")
    return uids


def test_usage_is_in_the_archive(used: tuple[str, str]) -> None:
    before = {
        kind: call("GET", f"/api/{kind}/usage", query={"period": "all"}).body
        for kind in ("teams/acme-dev", "organizations/org_acme")
    }
    assert before["teams/acme-dev"]["summary"]["total_calls"] == 3
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    call("DELETE", "/api/organizations/org_acme")
    team_uid, organization_uid = used
    (team,), (organization,) = deleted("teams"), deleted("organizations")
    assert (team["uid"], team["team_id"], team["status"], team["state"]) == (team_uid, "acme-dev", "deleted", "done")
    assert (organization["uid"], organization["organization_id"]) == (organization_uid, "org_acme")
    for uid, kind in ((team_uid, "teams/acme-dev"), (organization_uid, "organizations/org_acme")):
        path = f"/api/archive/{kind.split('/', maxsplit=1)[0]}/{uid}/usage"
        answer = call("GET", path, query={"period": "all"})
        assert answer.status == 200, answer.text
        assert answer.body["summary"]["total_calls"] == 3
        assert answer.body["summary"]["total_cost_usd"] == before[kind]["summary"]["total_cost_usd"]
    missing = problem(404, "not_found", f"Nothing is archived under '{team_uid}'")
    assert call("GET", f"/api/archive/organizations/{team_uid}/usage", query={"period": "all"}).body == missing


def test_a_purge_leaves_ledger_and_audit_only(used: tuple[str, str], clock: FakeClock) -> None:
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    call("DELETE", "/api/organizations/org_acme")
    assert deleted("teams") != []
    build.organization()
    build.team()
    uid = uid_of({"team_id": "acme-dev"})
    at = datetime.fromtimestamp(time.time(), UTC)
    records = [recorded.record(at, team_uid=uid, key_id="k", customer_id="c", tags=["batch"]) for _ in range(3)]
    recorded.counted(records)
    build_uid = uid_of({"organization_id": "org_acme"})
    call("POST", "/api/teams/acme-dev/suspend")
    clock.now = at
    answer = call("DELETE", "/api/organizations/org_acme", query={"purge": "true"})
    assert answer.body["state"] == "running"
    finish(clock)
    mine = [item for item in all_items() if uid in str(item) or build_uid in str(item)]
    assert {item["kind"] for item in mine} == {"audit_event"}
    # Others who have the customer in common keep what is theirs.
    assert [item for item in all_items() if item["PK"] == "USAGE#CUSTOMER#c" and "another" in item["SK"]]
    assert call("GET", f"/api/archive/teams/{uid}/usage", query={"period": "all"}).status == 404


def test_jobs_of_a_purged_team(clock: FakeClock) -> None:
    clock.now = datetime.fromtimestamp(time.time(), UTC)
    build.organization()
    build.team(credits_allocated=10)
    job_id = build.job("acme-dev")["job_id"]
    call("POST", f"/api/jobs/{job_id}/cancel")
    answer = call("DELETE", "/api/teams/acme-dev", query={"force": "true", "purge": "true"})
    assert (answer.status, answer.body) == (
        200,
        {"team_id": "acme-dev", "deleted": True, "state": "running", "keys_deleted": 1},
    )
    finish(clock)
    assert not [item for item in all_items() if job_id in item["PK"]]
    assert deleted("teams") == []


def test_lists_of_what_was_deleted() -> None:
    for name in ("org_acme", "org_other"):
        build.organization(name)
        build.team(f"{name[4:]}-dev", name)
        call("DELETE", f"/api/teams/{name[4:]}-dev", query={"force": "true"})
        call("DELETE", f"/api/organizations/{name}")
    assert [one["organization_id"] for one in deleted("organizations")] == ["org_other", "org_acme"]
    found = call("GET", "/api/teams", query={"status": "deleted", "organization_id": "org_acme"}).body["teams"]
    assert [one["team_id"] for one in found] == ["acme-dev"]
    found = call("GET", "/api/organizations", query={"status": "deleted", "search": "OTHER"}).body["organizations"]
    assert [one["organization_id"] for one in found] == ["org_other"]


def test_a_webhook_hears_of_its_teams_end_and_is_seen_by_nobody() -> None:
    from tests.support.items import raw_items
    from tollgate.webhooks.watcher import EventWatcher

    build.organization()
    build.team()
    build.webhook(team_id="acme-dev")
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    assert call("GET", "/api/webhooks").body["webhooks"] == []
    (record,) = [item for item in raw_items() if item["kind"]["S"] == "deletion"]
    seen = EventWatcher().see([{"dynamodb": {"SequenceNumber": "1", "NewImage": record}}])
    assert (seen.failed, seen.raised) == (None, 1)
    (event,) = [item for item in all_items() if item["kind"] == "event"]
    assert event["event"] == "team.deleted"


def test_what_is_left_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys go in several transactions, each with its audit events."""
    monkeypatch.setattr(teardown, "_AT_ONCE", 2)
    build.organization()
    build.team()
    for _ in range(4):
        build.issued_key()
    answer = call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    assert answer.body["keys_deleted"] == [event["action"] for event in audit_events()].count("key.deleted") == 5
