"""Jobs: how they begin, what is seen of them, how they end. What they are charged is in ``test_job_charges``."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build, jobs
from tests.support.accounts import TEAM, balance, configure
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, partition, raw_items
from tests.support.sessions import cheap_passwords, session
from tests.support.stream import insert
from tollgate.table import keys
from workers import rollup

NOW = "2026-03-01T12:00:00Z"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
NOTHING = {
    "total_calls": 0,
    "successful_calls": 0,
    "failed_calls": 0,
    "total_tokens": 0,
    "total_cost_usd": 0,
    "avg_latency_ms": 0,
    "credit_applied": False,
    "credits_remaining": 100,
    "provider_cost_usd": 0,
    "profit_usd": 0,
}


@pytest.fixture(autouse=True)
def team(empty_table: None, clock: FakeClock) -> dict[str, Any]:
    build.organization()
    return build.team(credits_allocated=100)


def fresh(job_id: str, **changes: Any) -> dict[str, Any]:
    """A job that has just been created, as the platform sees it."""
    return {
        "job_id": job_id,
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "user_id": None,
        "job_type": "resume",
        "status": "pending",
        "created_at": NOW,
        "started_at": None,
        "completed_at": None,
        "credit_applied": False,
        "credits_charged": 0,
        "unbilled_cost_usd": 0,
        "updated_at": NOW,
        "error_message": None,
        "metadata": {},
        "model_groups_used": [],
        "credits_reserved": 0,
        "costs": NOTHING,
        "calls": [],
    } | changes


def create(**fields: Any) -> Any:
    how = {name: fields.pop(name) for name in ("caller", "headers") if name in fields}
    return call("POST", "/api/jobs/create", {"team_id": "acme-dev", "job_type": "resume"} | fields, **how)


def listed(**query: Any) -> list[str]:
    """Ids of the jobs in a list."""
    return [job["job_id"] for job in call("GET", "/api/jobs", query=query).body["jobs"]]


def test_create(team: dict[str, Any]) -> None:
    answer = create(user_id="u-1", metadata={"a": 1.50}, caller=key(team["virtual_key"]))
    job_id = answer.body["job_id"]
    assert answer.body == {"job_id": job_id, "status": "pending", "created_at": NOW}
    assert UUID7.fullmatch(job_id)
    assert jobs.get(job_id) == fresh(job_id, user_id="u-1", metadata={"a": 1.5})
    (item,) = [item for item in all_items() if item["kind"] == "job"]
    assert item["key_id"] == key(team["virtual_key"])["key_id"]
    assert [event["action"] for event in audit_events()] == ["organization.created", "team.created"]


def test_what_the_platform_does_to_jobs_is_audited() -> None:
    job_id = build.job()["job_id"]
    call("PATCH", f"/api/jobs/{job_id}/metadata", {"metadata": {"a": 1}})
    jobs.end(job_id)
    events = [event for event in audit_events() if event["resource_type"] == "job"]
    assert [(event["action"], event["resource_id"]) for event in events] == [
        ("job.created", job_id),
        ("job.updated", job_id),
        ("job.completed", job_id),
    ]
    assert json.loads(events[-1]["after"]) == {"team_id": "acme-dev", "job_type": "resume", "credits_charged": 1}


def test_metadata_has_two_names_and_keeps_what_looks_like_storage() -> None:
    job_id = create(job_metadata={"S": "text"}).body["job_id"]
    assert jobs.get(job_id)["metadata"] == {"S": "text"}
    merged = call("PATCH", f"/api/jobs/{job_id}/metadata", {"job_metadata": {"N": "1"}})
    assert merged.body == {"job_id": job_id, "metadata": {"S": "text", "N": "1"}, "updated_at": NOW}
    other = create().body["job_id"]
    call("PATCH", f"/api/jobs/{other}/metadata", {"metadata": {"S": "text"}})
    assert jobs.get(other)["metadata"] == {"S": "text"}


def test_metadata_is_bounded_as_a_whole() -> None:
    assert create(metadata={"a": "x" * 10_240}).status == 422
    job_id = create(metadata={"a": "x" * 6000}).body["job_id"]
    message = "metadata may have at most 10240 bytes as JSON, merged with what there is"
    refused = problem(422, "invalid_request", message, errors=[{"field": "metadata", "message": message}])
    assert call("PATCH", f"/api/jobs/{job_id}/metadata", {"metadata": {"b": "x" * 6000}}).body == refused
    body = {"status": "completed", "metadata": {"b": "x" * 6000}}
    assert call("POST", f"/api/jobs/{job_id}/complete", body).body == refused
    assert jobs.get(job_id)["status"] == "pending"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"job_type": ""}, "job_type"),
        ({"job_type": "x" * 101}, "job_type"),
        ({"job_type": "a\nb"}, "job_type"),
        ({"user_id": ""}, "user_id"),
        ({"metadata": None}, "metadata"),
    ],
)
def test_create_refuses(fields: dict[str, Any], field: str) -> None:
    answer = create(**fields)
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])


def test_a_job_needs_a_credit_that_is_there() -> None:
    call("POST", "/api/credits/adjust", TEAM | {"amount": -99.5, "reason": "test"})
    answer = create()
    assert (answer.status, answer.body) == (
        403,
        problem(
            403,
            "insufficient_credits",
            "Insufficient credits. Team has 0.5 credits remaining, but 1 required. Allocated: 0.5, Used: 0",
            scope="team",
            limit=0.5,
            spent=0,
            reserved=0,
        ),
    )
    configure(TEAM, limit_mode="unlimited")
    assert create().status == 200
    configure(TEAM, limit_mode="soft", suspend_at_zero=True)
    assert create().status == 200
    call("PUT", "/api/teams/acme-dev", {"credits_source": "organization"})
    assert create().body["detail"].startswith("Insufficient credits. Organization has 0 credits remaining")
    call("PUT", "/api/teams/acme-dev", {"credits_source": "none"})
    assert create().status == 200


def test_credits_that_others_hold_let_a_job_begin() -> None:
    call("POST", "/api/credits/adjust", TEAM | {"amount": -99, "reason": "test"})
    jobs.with_calls()
    assert (balance(TEAM)["credits_remaining"], balance(TEAM)["credits_reserved"]) == (1, 1)
    assert create().status == 200


def test_a_suspended_team_runs_no_jobs(team: dict[str, Any]) -> None:
    job_id = build.job()["job_id"]
    call("POST", "/api/teams/acme-dev/suspend")
    suspended = problem(403, "team_suspended", "Team access suspended - contact support")
    mine = key(team["virtual_key"])
    assert create(caller=mine).body == suspended
    assert jobs.get(job_id, caller=mine) == suspended
    assert jobs.end(job_id, caller=mine).body == suspended
    assert jobs.get(job_id)["status"] == "pending"
    call("POST", "/api/teams/acme-dev/resume")
    assert jobs.end(job_id, caller=mine).body["status"] == "completed"


def test_who_is_logged_in_only_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_passwords(monkeypatch)
    job_id = build.job()["job_id"]
    build.admin_user("olga@example.com", role="admin")
    admin = session("olga@example.com")
    assert jobs.get(job_id, caller=admin) == jobs.get(job_id)
    assert call("GET", "/api/jobs", query={"team_id": "acme-dev"}, caller=admin).body["jobs"][0]["job_id"] == job_id
    forbidden = problem(403, "forbidden", "This credential may not use this endpoint")
    assert create(caller=admin).body == forbidden
    for status in ("completed", "failed", "cancelled"):
        assert jobs.end(job_id, status, caller=admin).body == forbidden
    assert call("PATCH", f"/api/jobs/{job_id}/metadata", {"metadata": {}}, caller=admin).body == forbidden


def test_a_job_goes_with_its_team() -> None:
    job_id = build.job()["job_id"]
    jobs.end(job_id)
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    again = build.team(credits_allocated=100)
    assert (
        jobs.get(job_id)
        == jobs.get(job_id, caller=key(again["virtual_key"]))
        == problem(404, "not_found", "Job not found")
    )
    assert listed(team_id="acme-dev") == []


def test_a_job_with_calls(team: dict[str, Any]) -> None:
    job_id = build.job()["job_id"]
    jobs.settled(job_id, cost="0.03", tokens=90, purpose="parse", call_metadata='{"page": 1}', error=None)
    jobs.settled(job_id, cost="0", tokens=0, promised="0", failed=True, latency_ms=50, error="provider failed")
    seen = jobs.get(job_id)
    first, second = sorted(seen["calls"], key=lambda one: -one["tokens"])
    assert seen["costs"] == {
        "total_calls": 2,
        "successful_calls": 1,
        "failed_calls": 1,
        "total_tokens": 90,
        "total_cost_usd": 0.03,
        "avg_latency_ms": 200,
        "credit_applied": False,
        "credits_remaining": 100,
        "provider_cost_usd": 0.015,
        "profit_usd": 0.015,
    }
    assert seen["credits_reserved"] == 1
    assert first == {
        "call_id": first["call_id"],
        "purpose": "parse",
        "call_metadata": {"page": 1},
        "model": "fast",
        "model_group": "fast",
        "outcome": "success",
        "prompt_tokens": 60,
        "completion_tokens": 30,
        "tokens": 90,
        "cost_usd": 0.03,
        "latency_ms": 200,
        "error": None,
        "created_at": NOW,
        "model_used": None,
        "provider": "openai",
        "provider_cost_usd": 0.015,
        "profit_usd": 0.015,
    }
    assert (second["outcome"], second["error"]) == ("failed", "provider failed")
    mine = jobs.get(job_id, caller=key(team["virtual_key"]))
    inside = {"provider_cost_usd": None, "profit_usd": None}
    assert mine["costs"] == seen["costs"] | inside
    hidden = inside | {"provider": None, "model_used": None}
    assert mine["calls"] == [one | hidden for one in seen["calls"]]


def test_costs_call_by_call(team: dict[str, Any]) -> None:
    job_id = build.job()["job_id"]
    for number in range(5):
        jobs.settled(job_id, cost=f"0.0{number}", promised="0")
    path, mine = f"/api/jobs/{job_id}/costs", key(team["virtual_key"])
    first = call("GET", path, query={"limit": "3"}).body
    rest = call("GET", path, query={"limit": "3", "cursor": first["next_cursor"]}).body
    both = first["costs"].pop("breakdown") + rest["costs"].pop("breakdown")
    assert first["costs"] == rest["costs"] == {"total_cost_usd": 0.1, "provider_cost_usd": 0.05, "profit_usd": 0.05}
    assert [first[name] for name in ("job_id", "team_id", "job_type", "status")] == [
        job_id,
        "acme-dev",
        "resume",
        "pending",
    ]
    assert sorted(one["cost_usd"] for one in both) == [0, 0.01, 0.02, 0.03, 0.04]
    assert [one["call_id"] for one in both] == sorted(one["call_id"] for one in both)
    assert rest["next_cursor"] is None
    seen = call("GET", path, caller=mine).body["costs"]
    assert (seen["total_cost_usd"], seen["provider_cost_usd"], seen["profit_usd"]) == (0.1, None, None)
    jobs.end(job_id)
    assert call("GET", path, caller=mine).body["costs"] == seen


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_an_end_is_final(status: str, clock: FakeClock) -> None:
    job_id = jobs.with_calls(cost="0.03")
    clock.advance(minutes=1)
    first = jobs.end(job_id, status)
    assert (first.status, first.body["status"], first.body["completed_at"]) == (200, status, "2026-03-01T12:01:00Z")
    assert first.body == jobs.get(job_id)
    clock.advance(minutes=1)
    before = all_items()
    assert jobs.end(job_id, status).body == first.body
    for other in {"completed", "failed", "cancelled"} - {status}:
        answer = jobs.end(job_id, other)
        assert (answer.status, answer.body) == (409, problem(409, "job_closed", f"Job is {status}"))
    assert all_items() == before
    assert jobs.counter(job_id)["cl"] == status
    (item,) = partition(keys.job(job_id))
    assert item["GSI2PK"] == f"{item['GSI1PK']}#{status}"
    assert not {"DUEPK", "DUESK"} & set(item)


def test_an_end_has_a_reason_and_metadata() -> None:
    job_id = create(metadata={"a": 1, "b": 1}).body["job_id"]
    body = {"status": "failed", "metadata": {"b": 2}, "error_message": "no answer"}
    answer = call("POST", f"/api/jobs/{job_id}/complete", body).body
    assert (answer["metadata"], answer["error_message"]) == ({"a": 1, "b": 2}, "no answer")
    assert call("PATCH", f"/api/jobs/{job_id}/metadata", {"metadata": {"c": 3}}).body["metadata"] == {
        "a": 1,
        "b": 2,
        "c": 3,
    }


@pytest.mark.parametrize("status", ["cancelled", "pending", "in_progress", ""])
def test_complete_knows_two_ends(status: str) -> None:
    answer = call("POST", f"/api/jobs/{build.job()['job_id']}/complete", {"status": status})
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["status"])


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_no_end_while_a_call_is_running(status: str) -> None:
    job_id = build.job()["job_id"]
    jobs.begun(job_id)
    answer = jobs.end(job_id, status)
    assert (answer.status, answer.body) == (409, problem(409, "calls_in_flight", "A call of the job is still running"))
    assert jobs.get(job_id)["status"] == "pending"


def test_lists(clock: FakeClock, team: dict[str, Any]) -> None:
    made = []
    for _ in range(4):
        made.append(build.job()["job_id"])
        clock.advance(days=1)
    jobs.end(made[1], "failed")
    assert listed(team_id="acme-dev") == made[::-1]
    assert listed(team_id="acme-dev", order="asc") == made
    assert listed(team_id="acme-dev", status="failed") == [made[1]]
    assert listed(team_id="acme-dev", status="pending", order="asc") == [made[0], *made[2:]]
    assert listed(team_id="acme-dev", start_date="2026-03-02", end_date="2026-03-03") == [made[2], made[1]]
    assert listed(team_id="acme-dev", start_date="2026-03-04") == [made[3]]
    assert listed(team_id="acme-dev", end_date="2026-03-02", status="pending") == [made[0]]
    assert listed(team_id="acme-dev", limit=2, offset=1) == [made[2], made[1]]
    mine = call("GET", "/api/jobs", query={"limit": 3}, caller=key(team["virtual_key"])).body
    assert [job["job_id"] for job in mine["jobs"]] == made[:0:-1]
    rest = call("GET", "/api/jobs", query={"limit": 3, "cursor": mine["next_cursor"]}, caller=key(team["virtual_key"]))
    assert [job["job_id"] for job in rest.body["jobs"]] == made[:1]
    assert rest.body["next_cursor"] is None
    shown = {name: value for name, value in fresh(made[0]).items() if name in mine["jobs"][0]}
    assert rest.body["jobs"] == [shown]
    other = call("GET", "/api/jobs", query={"team_id": "acme-dev", "order": "asc", "cursor": mine["next_cursor"]})
    assert (other.status, other.body["code"]) == (400, "invalid_cursor")


def test_a_teams_jobs(team: dict[str, Any]) -> None:
    made = sorted(build.job()["job_id"] for _ in range(3))
    counted = [item for item in raw_items() if item["kind"]["S"] == "job"]
    rollup.handler({"Records": [insert(item, number) for number, item in enumerate(counted)]}, None)
    jobs.end(made[0])
    answer = call("GET", "/api/teams/acme-dev/jobs", query={"limit": 2}, caller=key(team["virtual_key"])).body
    assert (answer["team_id"], answer["total"]) == ("acme-dev", 3)
    assert [job["job_id"] for job in answer["jobs"]] == made[:0:-1]
    done = call("GET", "/api/teams/acme-dev/jobs", query={"status": "completed"}).body
    assert [job["job_id"] for job in done["jobs"]] == [made[0]]


def test_an_organizations_jobs(clock: FakeClock) -> None:
    build.team("acme-prod", credits_allocated=5)
    build.organization("org_other")
    build.team("other-dev", "org_other", credits_allocated=5)
    made = []
    for team_id in ("acme-dev", "acme-prod", "acme-dev", "acme-prod", "other-dev"):
        made.append(build.job(team_id)["job_id"])
        clock.advance(minutes=1)
    assert listed(organization_id="org_acme") == made[3::-1]
    assert listed(organization_id="org_acme", order="asc", offset=1, limit=2) == made[1:3]
    for order, expected in (("asc", made[:4]), ("desc", made[3::-1])):
        found, cursor = [], None
        while cursor or not found:
            query = {"organization_id": "org_acme", "limit": 1, "order": order} | ({"cursor": cursor} if cursor else {})
            page = call("GET", "/api/jobs", query=query).body
            found += [job["job_id"] for job in page["jobs"]]
            cursor = page["next_cursor"]
        assert found == expected


def test_lists_have_to_know_whose() -> None:
    message = "team_id or organization_id says whose jobs are meant"
    refused = problem(422, "invalid_request", message, errors=[{"field": "team_id", "message": message}])
    assert call("GET", "/api/jobs").body == refused
    both = call("GET", "/api/jobs", query={"team_id": "acme-dev", "organization_id": "org_acme"})
    assert (both.status, both.body["errors"][0]["field"]) == (422, "organization_id")
    wrong = call(
        "GET", "/api/jobs", query={"team_id": "acme-dev", "start_date": "2026-03-02", "end_date": "2026-03-01"}
    )
    assert (wrong.status, wrong.body["errors"][0]["field"]) == (422, "end_date")


def test_the_same_request_again_makes_no_second_job(team: dict[str, Any]) -> None:
    how = {"caller": key(team["virtual_key"]), "headers": {"Idempotency-Key": "k-1"}}
    first = create(**how)
    assert create(**how).body == first.body
    assert create(user_id="u-2", **how).body["code"] == "idempotency_key_reused"
    assert listed(team_id="acme-dev") == [first.body["job_id"]]


def test_the_same_end_again_under_its_key(team: dict[str, Any]) -> None:
    job_id = jobs.with_calls()
    how = {"caller": key(team["virtual_key"]), "headers": {"Idempotency-Key": "k-1"}}
    first = jobs.end(job_id, **how)
    assert jobs.end(job_id, **how).body == first.body
    assert jobs.end(job_id, "failed", **how).body["code"] == "idempotency_key_reused"
    assert balance(TEAM)["credits_used"] == 1


def test_a_charge_is_exact_where_a_float_is_not() -> None:
    job_id = jobs.with_calls(cost="0.000000000001", promised="0")
    jobs.end(job_id)
    (item,) = partition(keys.job(job_id))
    assert item["costs"]["total_cost_usd"] == Decimal("0.000000000001")
