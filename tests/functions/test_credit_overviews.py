"""Credits over many teams and many days: utilization, trends, the same amount for every team."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build, calls
from tests.support.api import call, key, problem
from tests.support.clock import FakeClock
from tests.support.environment import TABLE, engine
from tests.support.items import all_items, audit_events, organization_counts
from tollgate.credits.utilization import UtilizationService
from tollgate.table import keys

GRANT = "/api/credits/add-to-teams"
TRENDS = "/api/credits/trends"


@pytest.fixture(autouse=True)
def organization(empty_table: None, clock: FakeClock) -> None:
    build.organization()


def uid_of(team_id: str) -> str:
    return next(str(item["uid"]) for item in all_items() if item["kind"] == "team" and item["team_id"] == team_id)


def team(team_id: str, allocated: int, spent: str = "0", organization_id: str = "org_acme") -> None:
    """A team whose calls have used some of its credits."""
    build.team(team_id, organization_id, credits_allocated=allocated)
    engine.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"PK": {"S": keys.account(uid_of(team_id))}, "SK": {"S": keys.counter()}},
        UpdateExpression="SET av = av - :spent",
        ExpressionAttributeValues={":spent": {"N": spent}},
    )


def balance_of(team_id: str) -> Any:
    return call("GET", f"/api/credits/teams/{team_id}/balance").body["credits_remaining"]


def test_utilization() -> None:
    build.organization("org_other")
    for team_id, spent in (("a1", "49.9"), ("a2", "50"), ("a3", "80"), ("a4", "80.1")):
        team(team_id, 100, spent)
    team("b1", 200, "250", "org_other")
    team("b2", 0)
    answer = call("GET", "/api/credits/utilization")
    assert (answer.status, answer.body) == (
        200,
        {
            "total_teams": 6,
            "summary": {
                "total_allocated": 600,
                "total_remaining": 90,
                "total_used": 510,
                # The mean of 49.9, 50, 80, 80.1 and 125.
                "avg_utilization": 77,
            },
            "by_status": {"healthy": 1, "warning": 2, "critical": 2, "without_credits": 1},
            "teams_needing_attention": [
                at_risk("b1", -50, -25, "critical", "org_other"),
                at_risk("a4", 19.9, 19.9, "critical"),
                at_risk("a3", 20, 20, "warning"),
                at_risk("a2", 50, 50, "warning"),
            ],
            "next_cursor": None,
            "truncated": False,
        },
    )


def at_risk(
    team_id: str, remaining: float, percentage: float, status: str, organization_id: str = "org_acme"
) -> dict[str, Any]:
    return {
        "team_id": team_id,
        "organization_id": organization_id,
        "credits_remaining": remaining,
        "percentage": percentage,
        "status": status,
    }


def test_utilization_of_nothing() -> None:
    body = call("GET", "/api/credits/utilization").body
    assert (body["total_teams"], body["summary"]["avg_utilization"], body["teams_needing_attention"]) == (0, 0, [])


def test_utilization_goes_on_where_it_stopped() -> None:
    """However many teams there are, one answer looks at a bounded number of them."""
    for number in range(5):
        team(f"team-{number}", 10, "9")
    service, cursor, seen = UtilizationService(most=2), None, []
    for expected in (2, 2, 1):
        part = service.read(build.owner(), cursor)
        assert (part.total_teams, part.truncated) == (expected, expected == 2)
        seen += [one.team_id for one in part.teams_needing_attention]
        cursor = part.next_cursor
    assert sorted(seen) == [f"team-{number}" for number in range(5)]


def test_utilization_is_the_platforms_to_see() -> None:
    caller = key(build.team()["virtual_key"])
    assert call("GET", "/api/credits/utilization", caller=caller).status == 403


def used(day: int, credits: str, team_id: str = "acme-dev") -> calls.Item:
    organization_uid = next(str(item["uid"]) for item in all_items() if item["kind"] == "organization")
    at = datetime.fromisoformat(f"2026-03-{day:02}T09:00:00+00:00")
    return calls.record(
        at,
        team_id=team_id,
        team_uid=uid_of(team_id),
        organization_id="org_acme",
        organization_uid=organization_uid,
        credits_charged=Decimal(credits),
    )


def trends(**query: Any) -> Any:
    answer = call("GET", TRENDS, query={"team_id": "acme-dev"} | query)
    assert answer.status == 200, answer.text
    return answer.body


def test_trends(clock: FakeClock) -> None:
    team("acme-dev", 100, "61")
    calls.counted([used(1, "2.5"), used(1, "0.5"), used(3, "3"), used(4, "47"), used(11, "8")])
    clock.advance(days=10)
    assert trends(days=11) == {
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "days": 11,
        "start_date": "2026-03-01",
        "end_date": "2026-03-11",
        "credits_allocated": 100,
        "credits_used": 61,
        "credits_remaining": 39,
        "utilization": 61,
        "used_in_period": 61,
        # Of the ten days that are over.
        "average_per_day": 5.3,
        "days_left": 7.3585,
        "depletion_date": "2026-03-18",
        "daily": [
            {"date": f"2026-03-{day:02}", "credits_used": credits, "calls": number}
            for day, (credits, number) in enumerate([(3, 2), (0, 0), (3, 1), (47, 1), *[(0, 0)] * 6, (8, 1)], start=1)
        ],
        "spikes": [{"date": "2026-03-04", "credits_used": 47, "times_average": 8.8679}],
        "as_of": "2026-03-11T12:00:00Z",
    }


def test_days_before_the_team_existed_are_no_days_without_use(clock: FakeClock) -> None:
    team("acme-dev", 100, "12")
    calls.counted([used(1, "4"), used(2, "8")])
    clock.advance(days=2)
    body = trends()
    assert (body["days"], len(body["daily"]), body["average_per_day"]) == (30, 30, 6)
    # The first day is all that there is: then it counts, though it is not over.
    clock.advance(days=-2)
    assert trends(days=1)["average_per_day"] == 4


def test_trends_without_any_use(clock: FakeClock) -> None:
    team("acme-dev", 100)
    clock.advance(days=2)
    body = trends()
    assert (body["average_per_day"], body["days_left"], body["depletion_date"], body["spikes"]) == (0, None, None, [])
    # A date that is decades away says nothing.
    calls.counted([used(1, "0.01")])
    assert trends()["depletion_date"] is None


def test_trends_of_an_account_that_is_used_up(clock: FakeClock) -> None:
    team("acme-dev", 10, "12")
    calls.counted([used(1, "12")])
    clock.advance(days=1)
    body = trends()
    assert (body["days_left"], body["depletion_date"], body["utilization"]) == (0, "2026-03-02", 120)


def test_trends_of_an_organization(clock: FakeClock) -> None:
    team("acme-dev", 10)
    team("acme-prod", 10)
    calls.counted([used(1, "2"), used(1, "3", "acme-prod")])
    call("POST", "/api/credits/add", {"organization_id": "org_acme", "amount": 50})
    clock.advance(days=1)
    body = call("GET", TRENDS, query={"organization_id": "org_acme", "days": "2"}).body
    assert (body["team_id"], body["organization_id"], body["used_in_period"]) == (None, "org_acme", 5)
    assert (body["credits_remaining"], body["average_per_day"], body["days_left"]) == (50, 5, 10)


def test_trends_refusals() -> None:
    build.organization("org_other")
    own, sister = key(build.team()["virtual_key"]), key(build.team("acme-prod")["virtual_key"])
    foreign = key(build.team("x1", "org_other")["virtual_key"])
    query = {"team_id": "acme-dev"}
    assert call("GET", TRENDS, query=query, caller=own).status == 200
    assert call("GET", TRENDS, query=query, caller=sister).status == 403
    assert call("GET", TRENDS, query=query, caller=foreign).body == problem(
        404, "not_found", "Team 'acme-dev' not found"
    )
    for wrong in ({}, query | {"organization_id": "org_acme"}, query | {"days": "0"}, query | {"days": "367"}):
        assert call("GET", TRENDS, query=wrong).status == 422


def grant(amount: object = 5, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    body = {"organization_id": "org_acme", "amount": amount, "reason": "a gift"} | fields
    return call("POST", GRANT, body, headers=headers)


def test_the_same_for_every_team(clock: FakeClock) -> None:
    build.organization("org_other")
    for team_id in ("a1", "a2"):
        team(team_id, 10)
        clock.advance(seconds=1)
    call("POST", "/api/teams/a2/suspend")
    team("b1", 10, "0", "org_other")
    answer = grant()
    ids = {one["team_id"]: one.pop("transaction_id") for one in answer.body["teams"]}
    assert (answer.status, answer.body) == (
        200,
        {
            "organization_id": "org_acme",
            "amount": 5,
            "teams": [
                {"team_id": name, "credits_added": 5, "credits_remaining": 15, "error": None} for name in ("a2", "a1")
            ],
            "succeeded": 2,
            "failed": 0,
            "total_added": 10,
            "next_cursor": None,
        },
    )
    assert (balance_of("a1"), balance_of("a2"), balance_of("b1")) == (15, 15, 10)
    entry = call("GET", "/api/credits/teams/a1/transactions").body["transactions"][0]
    assert (entry["transaction_id"], entry["credits_amount"], entry["reason"]) == (ids["a1"], 5, "a gift")
    assert [event["action"] for event in audit_events()[-2:]] == ["team.credits_added"] * 2
    organizations = [item for item in all_items() if item["kind"] == "organization"]
    assert {one["organization_id"]: one["total_credits_allocated"] for one in organizations} == {
        "org_acme": 30,
        "org_other": 10,
    }


def test_a_grant_that_is_sent_again_adds_nothing() -> None:
    team("a1", 10)
    once = {"Idempotency-Key": "march"}
    first = grant(headers=once)
    assert grant(headers=once).body == first.body
    assert grant(amount=6, headers=once).body["code"] == "idempotency_key_reused"
    assert (balance_of("a1"), organization_counts()[2]) == (15, 15)
    # Without a key, or under another one, it is another grant.
    grant()
    grant(headers={"Idempotency-Key": "april"})
    assert balance_of("a1") == 25


def test_a_grant_that_was_cut_off_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process dies after the second of four teams; the same request does the rest, and nothing twice."""
    from tollgate.credits.grants import GrantService, GrantToTeams
    from tollgate.table.idempotency import Once

    for number in range(4):
        team(f"a{number}", 10)
    service, once = GrantService(), Once("operation", "body")
    request = GrantToTeams.model_validate({"organization_id": "org_acme", "amount": 5})
    whole = GrantService._to_team
    done: list[str] = []

    def dying(self: GrantService, caller: Any, one: Any, *rest: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(one.team_id)
        return whole(self, caller, one, *rest)

    monkeypatch.setattr(GrantService, "_to_team", dying)
    with pytest.raises(KeyboardInterrupt):
        service.to_teams(build.owner(), request, once)
    assert sorted(balance_of(f"a{number}") for number in range(4)) == [10, 10, 15, 15]
    monkeypatch.setattr(GrantService, "_to_team", whole)
    again = service.to_teams(build.owner(), request, once)
    assert (again.succeeded, again.total_added) == (4, 20)
    assert [balance_of(f"a{number}") for number in range(4)] == [15] * 4
    assert organization_counts()[2] == 60


def test_a_team_that_is_refused_keeps_nobody_from_his(monkeypatch: pytest.MonkeyPatch) -> None:
    from tollgate.core.errors import NotFoundError
    from tollgate.credits import grants

    for team_id in ("a1", "a2"):
        team(team_id, 10)
    keep = grants.keep_owners

    def gone(work: Any, lines: Any) -> None:
        if lines[0].owner.team_id == "a2":
            raise NotFoundError("Team 'a2' not found")
        keep(work, lines)

    monkeypatch.setattr(grants, "keep_owners", gone)
    body = grant().body
    by_team = {one["team_id"]: one for one in body["teams"]}
    assert by_team["a2"] == {
        "team_id": "a2",
        "credits_added": 0,
        "credits_remaining": None,
        "transaction_id": None,
        "error": "Team 'a2' not found",
    }
    assert (body["succeeded"], body["failed"], body["total_added"]) == (1, 1, 5)
    assert (balance_of("a1"), balance_of("a2")) == (15, 10)


def test_many_teams_take_several_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    from tollgate.credits import grants

    monkeypatch.setattr(grants, "TEAMS_AT_ONCE", 2)
    for number in range(5):
        team(f"a{number}", 10)
    cursor, granted = None, []
    while True:
        body = grant(**({"cursor": cursor} if cursor else {})).body
        granted += [one["team_id"] for one in body["teams"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert sorted(granted) == [f"a{number}" for number in range(5)]
    assert [balance_of(f"a{number}") for number in range(5)] == [15] * 5


def test_grant_refusals() -> None:
    caller = key(build.team()["virtual_key"])
    before = all_items()
    assert call("POST", GRANT, {"organization_id": "org_acme", "amount": 5}, caller=caller).status == 403
    nowhere = grant(organization_id="org_nobody")
    assert (nowhere.status, nowhere.body["detail"]) == (404, "Organization 'org_nobody' not found")
    for wrong in (0, -5, 1.5, True):
        answer = grant(wrong)
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "amount")
    assert grant(cursor="bm90LW91cnM").status == 400
    assert all_items() == before
