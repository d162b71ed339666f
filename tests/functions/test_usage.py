"""Usage of teams, organizations and everything else, as the API tells it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build, calls, job_images
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, put_raw
from tests.support.stream import insert
from tollgate.limits.model import Scope
from tollgate.usage.spend import Span, spent
from workers import rollup

NOW = "2026-03-01T12:00:00Z"
NOTHING = {
    "total_jobs": 0,
    "successful_jobs": 0,
    "completed_jobs": 0,
    "failed_jobs": 0,
    "cancelled_jobs": 0,
    "total_calls": 0,
    "failed_calls": 0,
    "total_tokens": 0,
    "input_tokens": 0,
    "cached_tokens": 0,
    "output_tokens": 0,
    "reasoning_tokens": 0,
    "total_cost_usd": 0,
    "provider_cost_usd": 0,
    "unbilled_cost_usd": 0,
    "credits_used": 0,
    "avg_cost_per_job": 0,
    "success_rate": 0,
    "avg_latency_ms": 0,
}
ALL = NOTHING | {
    "total_calls": 3,
    "failed_calls": 1,
    "total_tokens": 50,
    "input_tokens": 35,
    "output_tokens": 15,
    "cached_tokens": 4,
    "total_cost_usd": 0.75,
    "provider_cost_usd": 0.6,
    "credits_used": 7.5,
    "avg_latency_ms": 200,
}
DIRECT = {"calls": 2, "tokens": 35, "cost_usd": 0.5, "credits_used": 5}
RESUME = {"count": 0, "calls": 1, "tokens": 15, "cost_usd": 0.25, "credits_used": 2.5}
POINT = {"jobs": 0, "calls": 0, "tokens": 0, "cost_usd": 0, "credits_used": 0}


def uid_of(kind: str, id: str) -> str:
    return next(str(item["uid"]) for item in all_items() if item["kind"] == kind and item[f"{kind}_id"] == id)


def used(
    at: datetime = calls.NOON, team: str = "acme-dev", organization: str = "org_acme", **fields: Any
) -> calls.Item:
    """A call of 15 tokens for $0.25, $0.20 to us, 2.5 credits."""
    return calls.record(
        at,
        team_id=team,
        team_uid=uid_of("team", team),
        organization_id=organization,
        organization_uid=uid_of("organization", organization),
        cost_usd=Decimal("0.25"),
        provider_cost_usd=Decimal("0.2"),
        credits_charged=Decimal("2.5"),
        **fields,
    )


@pytest.fixture
def keys(table: None, clock: FakeClock) -> dict[str, str]:
    """Two tenants with a team each, and a second team; three calls of acme-dev, one of the second tenant."""
    build.organization()
    build.organization("org_other")
    found = {
        name: build.team(name, organization)["virtual_key"]
        for name, organization in (("acme-dev", "org_acme"), ("acme-prod", "org_acme"), ("other-dev", "org_other"))
    }
    found["id"] = key(found["acme-dev"])["key_id"]
    calls.counted(
        [
            used(key_id=found["id"], user_id="ann", tags=["red"]),
            used(outcome="failed", input_tokens=15, cached_tokens=4, requested_model="slow", customer_id="c/1"),
            used(calls.NOON.replace(day=3, hour=23), job_type="resume", key_id=found["id"]),
            used(team="other-dev", organization="org_other", tags=["red"]),
        ]
    )
    return found


def usage(path: str, caller: str | None = None, **query: str) -> Any:
    options = {"caller": key(caller)} if caller else {}
    answer = call("GET", path, query=query, **options)
    assert answer.status == 200, answer.text
    return answer.body


def test_a_teams_month(keys: dict[str, str]) -> None:
    assert usage("/api/teams/acme-dev/usage", period="2026-03") == {
        "team_id": "acme-dev",
        "period": "2026-03",
        "summary": ALL,
        "direct_calls": DIRECT,
        "by_job_type": {"resume": 0},
        "job_types": {"resume": RESUME},
        "as_of": NOW,
    }


def test_a_team_sees_its_own_without_what_it_costs_us(keys: dict[str, str]) -> None:
    own = usage("/api/teams/acme-dev/usage", keys["acme-dev"], period="2026-03")
    assert own["summary"] == ALL | {"provider_cost_usd": None}


def test_a_teams_day(keys: dict[str, str]) -> None:
    day = usage("/api/teams/acme-dev/usage", period="2026-03-03")
    assert (day["summary"]["total_calls"], day["direct_calls"]["calls"]) == (1, 0)


def test_all_is_since_the_team_exists(keys: dict[str, str], clock: FakeClock) -> None:
    clock.advance(days=400)
    assert usage("/api/teams/acme-dev/usage", period="all")["summary"] == ALL


@pytest.mark.parametrize("period", ["2025-01", "2026-03-02", "9999-12"])
def test_a_period_without_calls_is_zeros(keys: dict[str, str], period: str) -> None:
    answer = usage("/api/teams/acme-dev/usage", period=period)
    assert (answer["summary"], answer["by_job_type"]) == (NOTHING, {})
    answer = usage("/api/organizations/org_acme/usage", period=period)
    assert (answer["summary"], answer["by_team"]) == (NOTHING, {})


@pytest.mark.parametrize(
    "period", ["", "2026", "2026-13", "2026-02-30", "2026-3", "march", "0000-01", "ALL", "2026-03-01T00"]
)
def test_a_malformed_period_is_named(keys: dict[str, str], period: str) -> None:
    for path in ("/api/teams/acme-dev/usage", "/api/organizations/org_acme/usage"):
        answer = call("GET", path, query={"period": period})
        assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["period"])


def test_the_period_is_asked_for(keys: dict[str, str]) -> None:
    answer = call("GET", "/api/teams/acme-dev/usage")
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["period"])


def test_an_organizations_month(keys: dict[str, str]) -> None:
    calls.counted([used(team="acme-prod", job_type="resume"), unassigned()])
    teams = {
        "Unassigned": {"jobs": 0, "calls": 1, "tokens": 15, "cost_usd": 0, "credits_used": 0},
        "acme-dev": {"jobs": 0, "calls": 3, "tokens": 50, "cost_usd": 0.75, "credits_used": 7.5},
        "acme-prod": {"jobs": 0, "calls": 1, "tokens": 15, "cost_usd": 0.25, "credits_used": 2.5},
    }
    more = {"total_calls": 5, "total_tokens": 80, "input_tokens": 55, "output_tokens": 25}
    more |= {"total_cost_usd": 1, "provider_cost_usd": 0.8, "credits_used": 10}
    assert usage("/api/organizations/org_acme/usage", period="2026-03") == {
        "organization_id": "org_acme",
        "period": "2026-03",
        "summary": ALL | more,
        "direct_calls": {"calls": 3, "tokens": 50, "cost_usd": 0.5, "credits_used": 5},
        "by_team": teams,
        "teams": teams,
        "by_job_type": {"resume": {"count": 0, "calls": 2, "tokens": 30, "cost_usd": 0.5, "credits_used": 5}},
        "as_of": NOW,
    }


def jobs(team: str, organization: str, *ends: tuple[str, int, str]) -> None:
    """Jobs of a team, each at its end: status, credits charged, USD that nobody was."""
    owner = {"team_id": team, "team_uid": uid_of("team", team), "organization_id": organization}
    owner |= {"organization_uid": uid_of("organization", organization)}
    for status, credits, unbilled in ends:
        job = job_images.ended(job_images.made(**owner), status, credits, Decimal(unbilled))
        put_raw([job])
        assert rollup.handler({"Records": [insert(job, 1, "MODIFY")]}, None) == {"batchItemFailures": []}


def test_jobs(keys: dict[str, str]) -> None:
    """Three of four decided ones succeed; the fourth is cancelled, the fifth open (D-29)."""
    charged, failed = ("completed", 2, "0"), ("failed", 0, "0.125")
    jobs("acme-dev", "org_acme", charged, charged, charged, failed, ("cancelled", 0, "0"), ("in_progress", 0, "0"))
    jobs("other-dev", "org_other", charged)
    split = {"total_jobs": 6, "successful_jobs": 3, "completed_jobs": 3, "failed_jobs": 1, "cancelled_jobs": 1}
    split |= {"success_rate": 0.75, "unbilled_cost_usd": 0.125, "credits_used": 13.5}
    # A quarter of a dollar for six jobs, to the next quantum.
    split |= {"avg_cost_per_job": 0.041666666667}
    team = usage("/api/teams/acme-dev/usage", period="2026-03")
    assert (team["summary"], team["direct_calls"]) == (ALL | split, DIRECT)
    assert team["by_job_type"] == {"resume": 6}
    assert team["job_types"] == {"resume": RESUME | {"count": 6, "credits_used": 8.5}}
    whole = usage("/api/organizations/org_acme/usage", period="2026-03")
    assert (whole["summary"], whole["by_job_type"]) == (team["summary"], team["job_types"])
    assert whole["by_team"]["acme-dev"]["jobs"] == 6
    span = {"start_date": "2026-03-01", "end_date": "2026-03-02"}
    for granularity in ("hour", "day"):
        points = usage("/api/teams/acme-dev/usage/timeline", **span, granularity=granularity)["points"]
        assert [point["jobs"] for point in points if point["calls"]] == [6]
    models = usage("/api/usage", scope="team", id="acme-dev", group_by="model", **SPAN)["groups"]
    assert {group["key"]: group["usage"]["total_jobs"] for group in models} == {None: 6, "fast": 0, "slow": 0}


def unassigned() -> calls.Item:
    """A call of an organization's key that is of no team."""
    free = dict.fromkeys(("cost_usd", "provider_cost_usd", "credits_charged"), 0)
    return calls.record(organization_id="org_acme", organization_uid=uid_of("organization", "org_acme"), **free)


def test_what_a_deleted_team_used_stays_in_its_organization(keys: dict[str, str]) -> None:
    before = usage("/api/organizations/org_acme/usage", period="all")
    assert call("DELETE", "/api/teams/acme-dev", query={"force": "true"}).status == 200
    assert usage("/api/organizations/org_acme/usage", period="all") == before
    assert call("GET", "/api/teams/acme-dev/usage", query={"period": "all"}).status == 404
    build.team("acme-dev")
    assert usage("/api/teams/acme-dev/usage", period="all")["summary"] == NOTHING


def test_timelines(keys: dict[str, str]) -> None:
    one = {"jobs": 0, "calls": 1, "tokens": 15, "cost_usd": 0.25, "credits_used": 2.5}
    two = {"jobs": 0, "calls": 2, "tokens": 35, "cost_usd": 0.5, "credits_used": 5}
    span = {"start_date": "2026-03-01", "end_date": "2026-03-04"}
    for path in ("/api/teams/acme-dev/usage/timeline", "/api/organizations/org_acme/usage/timeline"):
        assert usage(path, **span) == {
            "granularity": "day",
            **span,
            "points": [
                {"date": "2026-03-01", **two},
                {"date": "2026-03-02", **POINT},
                {"date": "2026-03-03", **one},
                {"date": "2026-03-04", **POINT},
            ],
            "as_of": NOW,
        }
        # The first of March is a Sunday.
        weeks = usage(path, **span, granularity="week")["points"]
        assert weeks == [{"date": "2026-02-23", **two}, {"date": "2026-03-02", **one}]
        months = usage(path, start_date="2026-02-01", end_date="2026-03-31", granularity="month")["points"]
        assert [(point["date"], point["calls"]) for point in months] == [("2026-02-01", 0), ("2026-03-01", 3)]
        hours = usage(path, **span, granularity="hour")["points"]
        assert len(hours) == 96
        busy = [(point["date"], point["calls"]) for point in hours if point["calls"]]
        assert busy == [("2026-03-01T12:00:00Z", 2), ("2026-03-03T23:00:00Z", 1)]


@pytest.mark.parametrize(
    ("span", "field"),
    [
        ({"start_date": "2026-03-02", "end_date": "2026-03-01"}, "end_date"),
        ({"start_date": "2025-01-01", "end_date": "2026-03-01"}, "end_date"),
        ({"start_date": "2026-01-01", "end_date": "2026-03-01", "granularity": "hour"}, "end_date"),
        ({"start_date": "yesterday", "end_date": "2026-03-01"}, "start_date"),
        ({"start_date": "2026-03-01", "end_date": "2026-03-01", "granularity": "year"}, "granularity"),
        ({"end_date": "2026-03-01"}, "start_date"),
    ],
)
def test_a_bad_range_is_named(keys: dict[str, str], span: dict[str, str], field: str) -> None:
    answer = call("GET", "/api/teams/acme-dev/usage/timeline", query=span)
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, [field])


SPAN = {"start_date": "2026-03-01", "end_date": "2026-03-31"}


def test_broken_down(keys: dict[str, str]) -> None:
    fast = NOTHING | {"total_calls": 2, "total_tokens": 30, "input_tokens": 20, "output_tokens": 10}
    fast |= {"total_cost_usd": 0.5, "provider_cost_usd": 0.4, "credits_used": 5, "avg_latency_ms": 200}
    slow = NOTHING | {"total_calls": 1, "failed_calls": 1, "total_tokens": 20, "input_tokens": 15, "output_tokens": 5}
    slow |= {"cached_tokens": 4, "total_cost_usd": 0.25, "provider_cost_usd": 0.2, "credits_used": 2.5}
    slow |= {"avg_latency_ms": 200}
    assert usage("/api/usage", scope="team", id="acme-dev", group_by="model", **SPAN) == {
        "scope": "team",
        "id": "acme-dev",
        **SPAN,
        "group_by": "model",
        "total": ALL,
        "groups": [{"key": "fast", "usage": fast}, {"key": "slow", "usage": slow}],
        "next_cursor": None,
        "as_of": NOW,
    }


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        ({"scope": "platform"}, {"2026-03-01": 3, "2026-03-03": 1}),
        ({"scope": "organization", "id": "org_acme"}, {"2026-03-01": 2, "2026-03-03": 1}),
        ({"scope": "organization", "id": "org_acme", "group_by": "job_type"}, {None: 2, "resume": 1}),
        ({"scope": "user", "id": "ann"}, {"2026-03-01": 1}),
        ({"scope": "user", "id": "nobody"}, {}),
        ({"scope": "customer", "id": "c/1", "group_by": "provider"}, {"openai": 1}),
        ({"scope": "tag", "id": "red"}, {"2026-03-01": 2}),
        ({"scope": "project", "id": "p"}, {}),
    ],
)
def test_scopes(keys: dict[str, str], query: dict[str, str], groups: dict[str | None, int]) -> None:
    answer = usage("/api/usage", **query, **SPAN)
    assert {group["key"]: group["usage"]["total_calls"] for group in answer["groups"]} == groups
    assert answer["total"]["total_calls"] == sum(groups.values())


def test_a_key(keys: dict[str, str]) -> None:
    for caller in (None, keys["acme-dev"]):
        assert usage("/api/usage", caller, scope="key", id=keys["id"], **SPAN)["total"]["total_calls"] == 2
    answer = call("GET", "/api/usage", query={"scope": "key", "id": "0" * 64, **SPAN})
    assert (answer.status, answer.body) == (404, problem(404, "not_found", f"Key '{'0' * 64}' not found"))


def test_pages(keys: dict[str, str]) -> None:
    query = {"scope": "organization", "id": "org_acme", "group_by": "job_type", "limit": "1", **SPAN}
    first = usage("/api/usage", **query)
    second = usage("/api/usage", cursor=first["next_cursor"], **query)
    assert [group["key"] for group in first["groups"] + second["groups"]] == [None, "resume"]
    assert second["next_cursor"] is None
    other = query | {"group_by": "model", "cursor": first["next_cursor"]}
    assert call("GET", "/api/usage", query=other).status == 400


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ({"scope": "team", "id": "acme-prod"}, 403, "API key does not belong to team 'acme-prod'"),
        ({"scope": "team", "id": "other-dev"}, 404, "Team 'other-dev' not found"),
        ({"scope": "organization", "id": "org_acme"}, 403, "This credential may not use this endpoint"),
        ({"scope": "platform"}, 403, "This credential may not use this endpoint"),
        ({"scope": "user", "id": "ann"}, 403, "This credential may not use this endpoint"),
        ({"scope": "tag", "id": "red"}, 403, "This credential may not use this endpoint"),
    ],
)
def test_a_team_key_sees_its_own_team_only(
    keys: dict[str, str], query: dict[str, str], status: int, detail: str
) -> None:
    answer = call("GET", "/api/usage", query=query | SPAN, caller=key(keys["acme-dev"]))
    assert (answer.status, answer.body["detail"]) == (status, detail)


def test_a_scope_needs_an_id(keys: dict[str, str]) -> None:
    answer = call("GET", "/api/usage", query={"scope": "team", **SPAN})
    assert (answer.status, [error["field"] for error in answer.body["errors"]]) == (422, ["id"])


def test_what_was_spent(keys: dict[str, str]) -> None:
    first, quarter = date(2026, 3, 1), Decimal("0.25")
    team, organization = uid_of("team", "acme-dev"), uid_of("organization", "org_acme")
    expected = {
        Span(Scope.PLATFORM, "", first): 4 * quarter,
        Span(Scope.ORGANIZATION, organization, first): 3 * quarter,
        Span(Scope.TEAM, team, first): 3 * quarter,
        Span(Scope.TEAM, team, date(2026, 3, 2)): quarter,
        Span(Scope.TEAM, team, first, model="slow"): quarter,
        Span(Scope.KEY, keys["id"], first): 2 * quarter,
        Span(Scope.TAG, "red", first): 2 * quarter,
        Span(Scope.USER, "ann", first): quarter,
        Span(Scope.TEAM_MEMBER, "ann", first, team): quarter,
        Span(Scope.TEAM_MEMBER, "ann", first, uid_of("team", "acme-prod")): 0,
        Span(Scope.ORGANIZATION_MEMBER, "ann", first, organization): quarter,
        Span(Scope.CUSTOMER, "c/1", first): quarter,
    }
    assert dict(zip(expected, spent(list(expected)), strict=True)) == expected
