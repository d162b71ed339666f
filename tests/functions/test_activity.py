"""An organization's ledgers as one, what happened in it lately, and the platform's dashboard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.functions.test_costs import ended, owned, used
from tests.support import build, calls, job_images
from tests.support.api import call, key
from tests.support.clock import FakeClock
from tests.support.items import put_raw, raw_items

TRANSACTIONS, ACTIVITY = "/api/organizations/org_acme/transactions", "/api/organizations/org_acme/activity"
DASHBOARD = "/api/stats/dashboard"


@pytest.fixture
def keys(table: None, clock: FakeClock) -> dict[str, str]:
    """Two teams and the organization's own account, and another tenant; every entry a second after the last."""
    build.organization()
    build.organization("org_other")
    found = {"other-dev": build.team("other-dev", "org_other", credits_allocated=9)["virtual_key"]}
    for team, credits in (("acme-dev", 10), ("acme-prod", 20)):
        clock.advance(seconds=1)
        found[team] = build.team(team, credits_allocated=credits)["virtual_key"]
    for owner in ({"organization_id": "org_acme"}, {"team_id": "acme-dev"}):
        clock.advance(seconds=1)
        assert call("POST", "/api/credits/add", {**owner, "amount": 5}).status == 200
    return found


def read(path: str, **query: str) -> Any:
    answer = call("GET", path, query=query)
    assert answer.status == 200, answer.text
    return answer.body


def test_all_ledgers_are_one(keys: dict[str, str]) -> None:
    body = read(TRANSACTIONS)
    assert (body["organization_id"], body["next_cursor"]) == ("org_acme", None)
    entries = body["transactions"]
    assert sorted(entries, key=lambda entry: entry["created_at"], reverse=True) == entries
    lines = [(entry["team_id"], entry["amount"], entry["organization_id"]) for entry in entries]
    expected = [("acme-dev", 5), (None, 5), ("acme-prod", 20), ("acme-dev", 10)]
    assert lines == [(*line, "org_acme") for line in expected]
    own = read("/api/credits/transactions", team_id="acme-prod")["transactions"]
    assert [entry for entry in entries if entry["team_id"] == "acme-prod"] == own


def test_ledgers_are_paged(keys: dict[str, str]) -> None:
    whole = read(TRANSACTIONS)["transactions"]
    first = read(TRANSACTIONS, limit="3")
    second = read(TRANSACTIONS, limit="3", cursor=first["next_cursor"])
    assert first["transactions"] + second["transactions"] == whole
    assert (len(first["transactions"]), second["next_cursor"]) == (3, None)


def test_the_ledger_of_a_team_that_is_gone_stays(keys: dict[str, str]) -> None:
    before = read(TRANSACTIONS)["transactions"]
    assert call("DELETE", "/api/teams/acme-prod", query={"force": "true"}).status == 200
    assert read(TRANSACTIONS)["transactions"] == before


def test_what_happened_lately(keys: dict[str, str], clock: FakeClock) -> None:
    clock.advance(seconds=60)
    at = clock()
    job = job_images.made(at, **owned("acme-dev"))
    clock.advance(seconds=60)
    done = {"status": {"S": "completed"}, "completed_at": {"S": f"{clock():%Y-%m-%dT%H:%M:%S.%fZ}"}}
    put_raw([job | done, job_images.made(at, **owned("other-dev"))])
    clock.advance(seconds=60)
    call("POST", "/api/teams/acme-prod/suspend")
    activity = read(ACTIVITY)["activity"]
    assert [entry["event"] for entry in activity[:3]] == ["team.suspended", "job.completed", "team.credits_added"]
    assert activity[1] == {
        "kind": "job",
        "event": "job.completed",
        "resource_type": "job",
        "resource_id": job["job_id"]["S"],
        "team_id": "acme-dev",
        "actor": None,
        "created_at": f"{at + timedelta(seconds=60):%Y-%m-%dT%H:%M:%SZ}",
    }
    assert {entry["team_id"] for entry in activity} <= {"acme-dev", "acme-prod", None}
    assert read(ACTIVITY, limit="2")["activity"] == activity[:2]


@pytest.mark.parametrize("path", [TRANSACTIONS, ACTIVITY, DASHBOARD])
def test_not_for_keys(keys: dict[str, str], path: str) -> None:
    for caller in ("acme-dev", "other-dev"):
        answer = call("GET", path, caller=key(keys[caller]))
        assert (answer.status, answer.body["detail"]) == (403, "This credential may not use this endpoint")


def test_the_dashboard(keys: dict[str, str]) -> None:
    call("POST", "/api/teams/acme-prod/suspend")
    calls.counted([used(), used("other-dev")])
    ended()
    ended(status="failed", credits=0, unbilled="0.25")
    body = read(DASHBOARD)
    counts = ("organizations", "active_organizations", "teams", "active_teams", "jobs_today", "jobs_this_month")
    assert {name: body[name] for name in counts} == dict(zip(counts, (2, 2, 3, 2, 2, 2), strict=True))
    assert body["credits"] == {"allocated": 49, "used": 0, "reserved": 0, "remaining": 49}
    assert (body["total_cost_usd"], body["credit_revenue_usd"], body["truncated"]) == (0, 0, False)
    month = body["this_month"]
    shown = ("total_jobs", "successful_jobs", "failed_jobs", "total_calls", "total_cost_usd", "provider_cost_usd")
    assert [month[name] for name in shown] == [2, 1, 1, 2, 0.5, 0.4]
    assert (month["success_rate"], month["unbilled_cost_usd"], body["today"]) == (0.5, 0.25, month)


def test_the_dashboards_money_is_that_of_the_accounts(keys: dict[str, str]) -> None:
    """Credits that calls have used are worth their teams' price."""
    place = f"ACCOUNT#{owned('acme-dev')['team_uid']}"
    account = next(item for item in raw_items() if item["PK"]["S"] == place and item["SK"]["S"] == "HOT#0")
    put_raw([account | {"av": {"N": "11.5"}, "us": {"N": "0.75"}}])
    body = read(DASHBOARD)
    assert body["credits"] == {"allocated": 49, "used": 3.5, "reserved": 0, "remaining": 45.5}
    assert (body["total_cost_usd"], body["credit_revenue_usd"]) == (0.75, 3.5)
    call("PUT", "/api/teams/acme-dev", {"credit_price_usd": 0.5})
    assert read(DASHBOARD)["credit_revenue_usd"] == 1.75


def test_the_page_of_an_organization_counts_its_jobs(keys: dict[str, str]) -> None:
    ended()
    ended(status="cancelled", credits=0, unbilled="0.25")
    ended("acme-prod")
    ended("other-dev")
    assert read("/api/organizations/org_acme")["usage_summary"]["total_jobs"] == 3
    assert read("/api/teams/acme-dev")["usage_summary"] == {"total_jobs": 2, "total_cost_usd": 0}
