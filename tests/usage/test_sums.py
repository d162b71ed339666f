"""Usage adds up: an organization is its teams, its job types and direct calls, its models, its days, and its calls.

Jobs and calls of two tenants, at random, through the stream's consumer, some days closed, and then as the API tells them:
every sum is the same to the last digit, and nothing of one tenant is in the other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from tests.support import build, calls, job_images
from tests.support.api import call
from tests.support.environment import empty_table
from tests.support.items import all_items, put_raw
from tests.support.stream import insert
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.pagination import PageRequest
from tollgate.tenants.usage import Question, breakdown_service
from tollgate.usage.costs import cost_service
from tollgate.usage.model import Breakdown, Days, GroupBy, UsageScope, UsageTotals
from tollgate.usage.service import usage_service
from workers import close_days, rollup

TEAMS = {"acme-dev": "org_acme", "acme-prod": "org_acme", "other-dev": "org_other"}
SPAN = Days(calls.NOON.date(), calls.NOON.date() + timedelta(days=6))
CALLER = Principal("test", ActorKind.PLATFORM, Role.PLATFORM_OWNER)
# What usage says and what a call's record calls it.
OF_CALLS = {
    "total_cost_usd": "cost_usd",
    "provider_cost_usd": "provider_cost_usd",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
}
FIGURES = (*OF_CALLS, "total_calls", "failed_calls", "total_jobs", "successful_jobs", "failed_jobs", "cancelled_jobs")
FIGURES += ("credits_used", "unbilled_cost_usd")
_plain = TypeDeserializer()
Totals = dict[str, Decimal]


@pytest.fixture(
    params=[(12, 40), pytest.param((500, 2_000), marks=pytest.mark.engine)], ids=["some", "thousands"], scope="module"
)
def world(request: pytest.FixtureRequest) -> dict[str, list[Any]]:
    """Every call and job as plain values, by organization; all of it counted in the table, the first days closed.

    The tests only read, so it is made once.
    """
    jobs, number = request.param
    chance = random.Random(11)
    empty_table()
    for organization in ("org_acme", "org_other"):
        build.organization(organization)
    for team, organization in TEAMS.items():
        build.team(team, organization)
    owners = {item["team_id"]: item for item in all_items() if item["kind"] == "team"}
    images = [_job(chance, owners) for _ in range(jobs)]
    last = [job_images.ending(job, chance) if chance.random() < 0.8 else job for job in images]
    records = [_call(chance, owners, images) for _ in range(number)]
    put_raw([*last, *records])
    with pytest.MonkeyPatch.context() as patched:
        now = calls.NOON + timedelta(days=4)
        patched.setattr(time, "time", now.timestamp)
        _consume(chance, [*_inserted([*images, *records]), *_changed(images, last)])
        patched.setattr(time, "time", (now + timedelta(hours=1)).timestamp)
        assert close_days.handler({}, None)["days"][-1] == "2026-03-04"
    plain = [{name: _plain.deserialize(value) for name, value in item.items()} for item in [*last, *records]]
    return {
        organization: [one for one in plain if one["organization_id"] == organization]
        for organization in ("org_acme", "org_other")
    }


def _owner(chance: random.Random, owners: dict[str, Any]) -> dict[str, Any]:
    team = owners[chance.choice(list(TEAMS))]
    names = ("team_id", "organization_id", "organization_uid")
    return {"team_uid": team["uid"], **{name: team[name] for name in names}}


def _job(chance: random.Random, owners: dict[str, Any]) -> calls.Item:
    at = calls.NOON + timedelta(days=chance.randint(0, 6), hours=chance.randint(-12, 11))
    return job_images.made(at, **_owner(chance, owners), job_type=chance.choice(["resume", "letter", "summary"]))


def _call(chance: random.Random, owners: dict[str, Any], images: list[calls.Item]) -> calls.Item:
    """Half of the calls are in jobs, which their team has made."""
    job = chance.choice([None, chance.choice(images)])
    fields = _owner(chance, owners) | {"credits_charged": Decimal(chance.randint(0, 10**13)).scaleb(-12)}
    if job is not None:
        names = ("team_id", "team_uid", "organization_id", "organization_uid", "job_type", "job_id")
        fields = {name: job[name]["S"] for name in names} | {"credits_charged": 0}
    return calls.record(
        calls.NOON + timedelta(days=chance.randint(0, 6), hours=chance.randint(-12, 11)),
        **fields,
        requested_model=chance.choice(["fast", "slow", "wise"]),
        provider=chance.choice(["openai", "anthropic"]),
        outcome=chance.choice(["success", "success", "failed"]),
        input_tokens=chance.randint(0, 10_000),
        output_tokens=chance.randint(0, 10_000),
        cost_usd=Decimal(chance.randint(0, 10**13)).scaleb(-12),
        provider_cost_usd=Decimal(chance.randint(0, 10**13)).scaleb(-12),
    )


def _inserted(items: list[calls.Item]) -> Iterator[Any]:
    return (insert(item, number) for number, item in enumerate(items))


def _changed(before: list[calls.Item], after: list[calls.Item]) -> Iterator[Any]:
    return (
        insert(now, 10**6 + number, "MODIFY")
        for number, (was, now) in enumerate(zip(before, after, strict=True))
        if was is not now
    )


def _consume(chance: random.Random, stream: list[Any]) -> None:
    """In any order, a tenth of it twice."""
    rollup._names.cache_clear()
    delivered = [*stream, *chance.sample(stream, len(stream) // 10)]
    chance.shuffle(delivered)
    for start in range(0, len(delivered), 500):
        assert rollup.handler({"Records": delivered[start : start + 500]}, None) == {"batchItemFailures": []}


def expected(records: Iterable[dict[str, Any]]) -> Totals:
    """The sums of calls and jobs, one by one."""
    sums = dict.fromkeys(FIGURES, Decimal(0))
    for one in records:
        if one["kind"] == "call":
            for name, attribute in OF_CALLS.items():
                sums[name] += one[attribute]
            sums["total_calls"] += 1
            sums["failed_calls"] += one["outcome"] == "failed"
        else:
            sums["total_jobs"] += 1
            sums["unbilled_cost_usd"] += one.get("unbilled_cost_usd", Decimal(0))
            ends = {"completed": "successful_jobs", "failed": "failed_jobs", "cancelled": "cancelled_jobs"}
            if one["status"] in ends:
                sums[ends[one["status"]]] += 1
        sums["credits_used"] += one.get("credits_charged", Decimal(0))
    return sums


def told(totals: UsageTotals) -> Totals:
    return {name: Decimal(getattr(totals, name)) for name in FIGURES}


def added(groups: Iterable[UsageTotals]) -> Totals:
    found = [told(group) for group in groups]
    return {name: sum((one[name] for one in found), Decimal(0)) for name in FIGURES}


def broken_down(group_by: GroupBy, scope: UsageScope = UsageScope.ORGANIZATION, id: str | None = None) -> Breakdown:
    return breakdown_service().read(CALLER, Question(scope, id, SPAN, group_by), PageRequest(100))


@pytest.mark.parametrize("organization", ["org_acme", "org_other"])
def test_an_organization_is_the_sum_of_whatever_it_is_divided_into(
    world: dict[str, list[Any]], organization: str
) -> None:
    whole = usage_service().of_organization(CALLER, organization, "2026-03")
    right = expected(world[organization])
    assert told(whole.summary) == right
    for group_by in GroupBy:
        answer = broken_down(group_by, id=organization)
        assert (told(answer.total), added(group.usage for group in answer.groups)) == (right, right), group_by
    own = [team for team, of in TEAMS.items() if of == organization]
    teams = {team: usage_service().of_team(CALLER, team, "2026-03") for team in own}
    assert added(team.summary for team in teams.values()) == right
    for team, usage in teams.items():
        assert told(usage.summary) == expected(one for one in world[organization] if one["team_id"] == team)


@pytest.mark.parametrize("organization", ["org_acme", "org_other"])
def test_the_parts_of_a_report_add_up(world: dict[str, list[Any]], organization: str) -> None:
    whole = usage_service().of_organization(CALLER, organization, "2026-03")
    summary, direct, kinds = whole.summary, whole.direct_calls, whole.by_job_type.values()
    assert sum(kind.count for kind in kinds) == summary.total_jobs
    assert sum((kind.cost_usd for kind in kinds), direct.cost_usd) == summary.total_cost_usd
    assert sum((kind.credits_used for kind in kinds), direct.credits_used) == summary.credits_used
    assert sum((kind.calls for kind in kinds), direct.calls) == summary.total_calls
    assert sum((kind.tokens for kind in kinds), direct.tokens) == summary.total_tokens
    by_team: Callable[[str], Any] = lambda name: sum(getattr(team, name) for team in whole.by_team.values())  # noqa: E731
    assert (by_team("cost_usd"), by_team("credits_used")) == (summary.total_cost_usd, summary.credits_used)
    assert (by_team("jobs"), by_team("calls")) == (summary.total_jobs, summary.total_calls)
    costs = cost_service().of_organization(CALLER, organization, SPAN.first, SPAN.last)
    assert (costs.client_cost_usd, costs.credits_charged) == (summary.total_cost_usd, summary.credits_used)
    for parts in (costs.daily, list(costs.by_team.values())):
        assert sum(part.client_cost_usd for part in parts) == costs.client_cost_usd
        assert sum(part.profit_usd or 0 for part in parts) == costs.profit_usd
        assert sum(part.unbilled_cost_usd for part in parts) == summary.unbilled_cost_usd


def test_the_platform_is_the_sum_of_its_tenants(world: dict[str, list[Any]]) -> None:
    right = expected([*world["org_acme"], *world["org_other"]])
    for group_by in GroupBy:
        answer = broken_down(group_by, UsageScope.PLATFORM)
        assert (told(answer.total), added(group.usage for group in answer.groups)) == (right, right), group_by


@pytest.mark.parametrize("granularity", ["hour", "day", "week", "month"])
def test_timelines_add_up(world: dict[str, list[Any]], granularity: str) -> None:
    span = {"start_date": str(SPAN.first), "end_date": str(SPAN.last), "granularity": granularity}
    right = expected(world["org_acme"])
    answer = call("GET", "/api/organizations/org_acme/usage/timeline", query=span)
    points = answer.body["points"]
    assert sum(point["jobs"] for point in points) == right["total_jobs"]
    assert sum(point["calls"] for point in points) == right["total_calls"]
    assert sum(point["cost_usd"] for point in points) == pytest.approx(float(right["total_cost_usd"]), rel=1e-12)
