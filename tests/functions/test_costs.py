"""Costs of teams and organizations: what was paid, charged and earned (D-28, Q-19, Q-57)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support import build, calls, job_images
from tests.support.api import call, key
from tests.support.items import all_items, put_raw
from tests.support.stream import insert
from workers import rollup

SPAN = {"start_date": "2026-03-01", "end_date": "2026-03-02"}
PLAIN = {"provider_cost_usd": 0, "client_cost_usd": 0, "credits_charged": 0, "unbilled_cost_usd": 0}
NOTHING = PLAIN | {
    "credit_revenue_usd": 0,
    "unpriced_credits": 0,
    "profit_usd": 0,
    "markup_pct": None,
    "margin_pct": None,
}


def owned(team_id: str) -> dict[str, Any]:
    team = next(item for item in all_items() if item["kind"] == "team" and item["team_id"] == team_id)
    names = ("organization_id", "organization_uid")
    return {"team_id": team_id, "team_uid": team["uid"], **{name: team[name] for name in names}}


def used(team_id: str = "acme-dev", **fields: Any) -> calls.Item:
    """A call in a job of a team, for $0.20 to us and $0.25 to the client."""
    figures = {"cost_usd": Decimal("0.25"), "provider_cost_usd": Decimal("0.2"), "credits_charged": 0}
    return calls.record(**(owned(team_id) | figures | {"job_type": "resume"} | fields))


def ended(team_id: str = "acme-dev", status: str = "completed", credits: int = 1, unbilled: str = "0") -> None:
    job = job_images.ended(job_images.made(**owned(team_id)), status, credits, Decimal(unbilled))
    put_raw([job])
    assert rollup.handler({"Records": [insert(job, 1, "MODIFY")]}, None) == {"batchItemFailures": []}


@pytest.fixture
def teams(table: None) -> dict[str, str]:
    """A team that pays a credit a job, one that pays by tokens, and one of another tenant."""
    build.organization()
    build.organization("org_other")
    found = {"acme-dev": build.team()["virtual_key"]}
    found["acme-tok"] = build.team("acme-tok", budget_mode="consumption_tokens")["virtual_key"]
    found["other-dev"] = build.team("other-dev", "org_other")["virtual_key"]
    return found


def costs(path: str, **query: str) -> Any:
    answer = call("GET", f"/api/{path}/costs", query=SPAN | query)
    assert answer.status == 200, answer.text
    return answer.body


def test_a_team(teams: dict[str, str]) -> None:
    calls.counted([used(), used(), used(job_type=None, credits_charged=Decimal("0.25"))])
    ended()
    ended(status="failed", credits=0, unbilled="0.25")
    day = {
        "provider_cost_usd": 0.6,
        "client_cost_usd": 0.75,
        "credits_charged": 1.25,
        "unbilled_cost_usd": 0.25,
        "credit_revenue_usd": 1.25,
        "unpriced_credits": 0,
        "profit_usd": 0.65,
        "markup_pct": 108.33,
        "margin_pct": 52,
    }
    body = costs("teams/acme-dev")
    assert body.pop("as_of")
    assert body == {
        "team_id": "acme-dev",
        **SPAN,
        **day,
        "direct_calls": PLAIN | {"provider_cost_usd": 0.2, "client_cost_usd": 0.25, "credits_charged": 0.25},
        "by_job_type": {
            "resume": {
                "jobs": 2,
                "provider_cost_usd": 0.4,
                "client_cost_usd": 0.5,
                "credits_charged": 1,
                "unbilled_cost_usd": 0.25,
            }
        },
        "daily": [{"date": "2026-03-01", **day}, {"date": "2026-03-02", **NOTHING}],
    }


@pytest.mark.parametrize(
    ("settings", "revenue", "profit", "margin"),
    [
        ({}, 4, 3.8, 95),
        ({"budget_mode": "consumption_usd"}, 0.4, 0.2, 50),
        ({"budget_mode": "consumption_usd", "credits_per_dollar": 20}, 0.2, 0, 0),
        ({"credit_price_usd": 0.01}, 0.04, -0.16, -400),
        ({"credit_price_usd": 0}, 0, -0.2, None),
        ({"budget_mode": "consumption_tokens", "credit_price_usd": 0.5}, 2, 1.8, 90),
        ({"budget_mode": "consumption_tokens"}, None, None, None),
    ],
)
def test_a_credit_is_worth_its_price(
    teams: dict[str, str], settings: dict[str, Any], revenue: Any, profit: Any, margin: Any
) -> None:
    assert call("PUT", "/api/teams/acme-dev", settings).status == 200
    calls.counted([used()])
    ended(credits=4)
    body = costs("teams/acme-dev")
    assert (body["credit_revenue_usd"], body["profit_usd"], body["margin_pct"]) == (revenue, profit, margin)
    assert body["unpriced_credits"] == (4 if revenue is None else 0)


def test_an_organization(teams: dict[str, str]) -> None:
    outside = used(job_type=None, credits_charged=Decimal("0.25"))
    outside = {name: value for name, value in outside.items() if name not in {"team_id", "team_uid"}}
    calls.counted([used(), outside, used("other-dev")])
    ended(credits=3)
    body = costs("organizations/org_acme")
    assert list(body["by_team"]) == ["Unassigned", "acme-dev"]
    assert body["by_team"]["Unassigned"] == costs_of(0.2, 0.25, 0.25)
    assert (body["credits_charged"], body["credit_revenue_usd"], body["profit_usd"]) == (3.25, 3.25, 2.85)
    assert [day["client_cost_usd"] for day in body["daily"]] == [0.5, 0]


def costs_of(provider: float, client: float, credits: float) -> dict[str, Any]:
    """Of credits that are worth a dollar."""
    return NOTHING | {
        "provider_cost_usd": provider,
        "client_cost_usd": client,
        "credits_charged": credits,
        "credit_revenue_usd": credits,
        "profit_usd": round(credits - provider, 6),
        "markup_pct": round((credits - provider) / provider * 100, 2),
        "margin_pct": round((credits - provider) / credits * 100, 2),
    }


def test_credits_without_a_price_leave_no_profit(teams: dict[str, str]) -> None:
    calls.counted([used(), used("acme-tok")])
    ended(credits=3)
    ended("acme-tok", credits=7)
    body = costs("organizations/org_acme")
    assert body["by_team"]["acme-tok"]["credit_revenue_usd"] is None
    shown = [body[name] for name in ("credits_charged", "credit_revenue_usd", "unpriced_credits", "profit_usd")]
    assert shown == [10, 3, 7, None]


def test_a_teams_costs_stay_when_it_goes(teams: dict[str, str]) -> None:
    calls.counted([used()])
    ended(credits=3)
    assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).status == 200
    body = costs("organizations/org_acme")
    assert (body["client_cost_usd"], body["by_team"]["acme-dev"]["client_cost_usd"]) == (0.25, 0.25)


@pytest.mark.parametrize("path", ["organizations/org_acme", "teams/acme-dev"])
def test_what_providers_are_paid_is_the_platforms_business(teams: dict[str, str], path: str) -> None:
    answer = call("GET", f"/api/{path}/costs", query=SPAN, caller=key(teams["acme-dev"]))
    assert (answer.status, answer.body["detail"]) == (403, "This credential may not use this endpoint")


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"start_date": "2026-03-02", "end_date": "2026-03-01"}, "end_date"),
        ({"start_date": "2025-01-01", "end_date": "2026-03-01"}, "end_date"),
        ({"start_date": "soon", "end_date": "2026-03-01"}, "start_date"),
    ],
)
def test_a_bad_range_is_named(teams: dict[str, str], span: dict[str, str], field: str) -> None:
    for path in ("teams/acme-dev", "organizations/org_acme"):
        answer = call("GET", f"/api/{path}/costs", query=span)
        assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])
