"""Jobs that nobody ends (D-32)."""

from __future__ import annotations

import pytest

from tests.support import build, jobs
from tests.support.accounts import TEAM, balance
from tests.support.api import call
from tests.support.clock import FakeClock
from tests.support.items import audit_events, partition
from tollgate.table import keys
from workers import sweep_jobs


@pytest.fixture(autouse=True)
def team(empty_table: None, clock: FakeClock) -> None:
    build.organization()
    build.team(credits_allocated=100)


def sweep() -> dict[str, int]:
    return sweep_jobs.handler({}, None)


def due(job_id: str) -> str | None:
    (item,) = partition(keys.job(job_id))
    return item.get("DUESK")


def test_a_job_that_nobody_ends_fails(clock: FakeClock) -> None:
    job_id = jobs.with_calls(cost="0.03")
    clock.advance(hours=23, minutes=59)
    assert sweep() == {"jobs": 0, "ended": 0}
    clock.advance(minutes=1)
    assert sweep() == {"jobs": 1, "ended": 1}
    job = jobs.get(job_id)
    assert (job["status"], job["error_message"]) == ("failed", "Nothing happened for 24 hours")
    assert (job["credits_charged"], job["unbilled_cost_usd"], job["completed_at"]) == (0, 0.03, "2026-03-02T12:00:00Z")
    assert balance(TEAM)["credits_reserved"] == 0
    event = audit_events()[-1]
    assert (event["action"], event["actor"], event["resource_id"]) == ("job.failed", "system", job_id)
    assert sweep() == {"jobs": 0, "ended": 0}
    assert jobs.end(job_id).body["code"] == "job_closed"


def test_a_job_that_lives_is_looked_at_again(clock: FakeClock) -> None:
    changed, called, ended = (build.job()["job_id"] for _ in range(3))
    clock.advance(hours=20)
    call("PATCH", f"/api/jobs/{changed}/metadata", {"metadata": {"a": 1}})
    jobs.settled(called, at=clock.now)
    jobs.end(ended)
    clock.advance(hours=4)
    assert sweep() == {"jobs": 2, "ended": 0}
    clock.advance(hours=19, minutes=59)
    assert sweep() == {"jobs": 0, "ended": 0}
    clock.advance(minutes=1)
    assert sweep() == {"jobs": 2, "ended": 2}


def test_a_call_that_is_running_keeps_its_job(clock: FakeClock) -> None:
    job_id = build.job()["job_id"]
    jobs.begun(job_id)
    clock.advance(hours=24)
    assert sweep() == {"jobs": 1, "ended": 0}
    assert jobs.get(job_id)["status"] == "pending"


@pytest.mark.parametrize("what", ["team", "organization"])
def test_jobs_of_who_is_suspended_wait(what: str, clock: FakeClock) -> None:
    job_id = build.job()["job_id"]

    def set_status(status: str, verb: str) -> None:
        if what == "team":
            call("POST", f"/api/teams/acme-dev/{verb}")
        else:
            call("PUT", "/api/organizations/org_acme/status", {"status": status})

    set_status("suspended", "suspend")
    clock.advance(hours=48)
    assert sweep() == {"jobs": 1, "ended": 0}
    clock.advance(hours=1)
    assert sweep() == {"jobs": 1, "ended": 0}
    set_status("active", "resume")
    # It has its time again from when it was last seen waiting.
    clock.advance(hours=1)
    assert sweep() == {"jobs": 1, "ended": 0}
    clock.advance(hours=22)
    assert sweep() == {"jobs": 0, "ended": 0}
    clock.advance(hours=1)
    assert sweep() == {"jobs": 1, "ended": 1}
    assert jobs.get(job_id)["status"] == "failed"
