"""The users' documents: jobs of two teams, and what "Usage Statistics" and "Cost Tracking" then show, field by field."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest

from tests.journeys.conftest import Gateway
from tests.journeys.test_usage import FRESH_SECONDS, PRICED, consumer_of, usage_of

ORGANIZATION = "/api/organizations/org_acme"
MESSAGES = [{"role": "user", "content": "one two three"}]
# Who does what: completed jobs that are charged, and one that fails.
JOBS = [
    ("acme-dev", "document_analysis", "completed"),
    ("acme-dev", "chat_session", "completed"),
    ("acme-dev", "chat_session", "failed"),
    ("acme-prod", "document_analysis", "completed"),
]


@pytest.fixture
def worked(gateway: Gateway) -> Gateway:
    """The jobs, and one call outside of any, as soon as the rollups know all of them."""
    gateway.made("/api/organizations/create", {"organization_id": "org_acme", "name": "ACME"})
    gateway.made("/api/model-aliases/create", PRICED)
    keys = {
        team_id: gateway.made(
            "/api/teams/create",
            {"organization_id": "org_acme", "team_id": team_id, "access_groups": ["*"], "credits_allocated": 10},
        )["virtual_key"]
        for team_id in ("acme-dev", "acme-prod")
    }
    consumer = consumer_of(gateway)
    consumer.start()
    try:
        for team_id, job_type, status in JOBS:
            _work(gateway, keys[team_id], team_id, job_type, status)
        assert gateway.chat(keys["acme-prod"], "priced").status_code == 200
        before = time.monotonic()
        while not _is_complete(usage_of(gateway, ORGANIZATION)["summary"]):
            assert time.monotonic() < before + FRESH_SECONDS
            time.sleep(0.05)
    finally:
        consumer.stop()
    return gateway


def _work(gateway: Gateway, key: str, team_id: str, job_type: str, status: str) -> None:
    created = gateway("POST", "/api/jobs/create", {"team_id": team_id, "job_type": job_type}, key=key)
    job_id = created.json()["job_id"]
    called = gateway("POST", f"/api/jobs/{job_id}/llm-call", {"model": "priced", "messages": MESSAGES}, key=key)
    assert called.status_code == 200, called.text
    completed = gateway("POST", f"/api/jobs/{job_id}/complete", {"status": status}, key=key)
    assert (completed.status_code, completed.json()["credit_applied"]) == (200, status == "completed")


def _is_complete(summary: dict[str, Any]) -> bool:
    return bool(summary["successful_jobs"] + summary["failed_jobs"] == len(JOBS) and summary["total_calls"] == 5)


def test_usage_of_the_organization(worked: Gateway) -> None:
    found = usage_of(worked, ORGANIZATION)
    summary, direct = found["summary"], found["direct_calls"]
    shown = ("total_jobs", "successful_jobs", "completed_jobs", "failed_jobs", "total_calls", "success_rate")
    assert {name: summary[name] for name in shown} == {
        "total_jobs": 4,
        "successful_jobs": 3,
        "completed_jobs": 3,
        "failed_jobs": 1,
        "total_calls": 5,
        "success_rate": 0.75,
    }
    assert direct["calls"] == 1
    assert summary["credits_used"] == pytest.approx(3 + direct["credits_used"], abs=1e-12)
    teams, types = found["by_team"], found["by_job_type"]
    assert {team: figures["jobs"] for team, figures in teams.items()} == {"acme-dev": 3, "acme-prod": 1}
    assert {name: figures["count"] for name, figures in types.items()} == {"document_analysis": 2, "chat_session": 2}
    assert sum(figures["cost_usd"] for figures in teams.values()) == pytest.approx(summary["total_cost_usd"])
    in_jobs = sum(figures["cost_usd"] for figures in types.values())
    assert in_jobs + direct["cost_usd"] == pytest.approx(summary["total_cost_usd"])
    assert sum(figures["tokens"] for figures in teams.values()) == summary["total_tokens"]


def test_usage_of_a_team_and_its_summary(worked: Gateway) -> None:
    found = usage_of(worked, "/api/teams/acme-dev")
    summary = found["summary"]
    assert {name: summary[name] for name in ("total_jobs", "successful_jobs", "failed_jobs", "credits_used")} == {
        "total_jobs": 3,
        "successful_jobs": 2,
        "failed_jobs": 1,
        "credits_used": 2,
    }
    assert summary["avg_cost_per_job"] == pytest.approx(summary["total_cost_usd"] / 3)
    assert found["by_job_type"] == {"document_analysis": 1, "chat_session": 2}
    shown = worked("GET", "/api/teams/acme-dev").json()["usage_summary"]
    assert (shown["total_jobs"], shown["total_cost_usd"]) == (3, summary["total_cost_usd"])
    of_organization = worked("GET", ORGANIZATION).json()["usage_summary"]
    assert of_organization["total_jobs"] == 4
    assert of_organization["credits_used"] == usage_of(worked, ORGANIZATION)["summary"]["credits_used"]


def test_costs(worked: Gateway) -> None:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    answer = worked("GET", f"{ORGANIZATION}/costs?start_date={today}&end_date={today}")
    assert answer.status_code == 200, answer.text
    costs = answer.json()
    usage = usage_of(worked, ORGANIZATION)["summary"]
    assert costs["client_cost_usd"] == costs["provider_cost_usd"] == usage["total_cost_usd"]
    assert costs["credits_charged"] == usage["credits_used"]
    # A credit is a dollar where nobody says otherwise.
    assert costs["credit_revenue_usd"] == costs["credits_charged"]
    assert costs["profit_usd"] == pytest.approx(costs["credit_revenue_usd"] - costs["provider_cost_usd"])
    assert 0 < costs["unbilled_cost_usd"] < costs["client_cost_usd"]
    assert set(costs["by_team"]) == {"acme-dev", "acme-prod"}


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_export(worked: Gateway, form: str) -> None:
    answer = worked("GET", f"{ORGANIZATION}/usage/export?format={form}&period=all")
    assert answer.status_code == 200, answer.text
    rows = list(csv.DictReader(io.StringIO(answer.text))) if form == "csv" else answer.json()["rows"]
    usage = usage_of(worked, ORGANIZATION)["summary"]
    assert sum(float(row["cost_usd"]) for row in rows) == pytest.approx(usage["total_cost_usd"])
    assert sum(int(row["calls"]) for row in rows) == usage["total_calls"]
    assert {row["team_id"] for row in rows} == {"acme-dev", "acme-prod"}
