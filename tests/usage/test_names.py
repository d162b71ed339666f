"""What callers invent has a bound: so many models, providers and job types, and all others together."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from tests.support import calls
from tests.support.environment import TABLE
from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings
from tollgate.usage.names import Names
from tollgate.usage.rollup import Rollup


def count(records: list[calls.Item], most: int) -> None:
    """By a consumer that has just started."""

    async def run() -> set[str]:
        config = settings()
        async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
            return await Rollup(db, TABLE, Names(TABLE, most)).count((item["PK"]["S"], item) for item in records)

    assert asyncio.run(run()) == set()


def job(name: str | None, day: int = 1) -> calls.Item:
    return calls.record(calls.NOON.replace(day=day), team_uid="t1", job_type=name)


def counted_by_day() -> dict[tuple[str, str], int]:
    return {
        (when[:10], dimensions): int(figures["cn"])
        for (where, when, dimensions), figures in calls.stored_buckets().items()
        if where == "OWNER#t1" and dimensions
    }


def test_what_comes_after_the_last_name_is_counted_together(table: None) -> None:
    count(calls.put([job("a"), job(None), job("b"), job("c"), job("a")]), most=2)
    count(calls.put([job("b", day=2), job(None, day=2), job("a", day=2)]), most=2)
    count(calls.put([calls.record(team_uid="t1", requested_model="slow")]), most=2)
    assert counted_by_day() == {
        ("2026-03-01", "fast|openai|a"): 2,
        ("2026-03-01", "fast|openai|None"): 1,
        ("2026-03-01", "other|other|other"): 2,
        ("2026-03-01", "other|other|None"): 1,
        ("2026-03-02", "other|other|other"): 1,
        ("2026-03-02", "fast|openai|None"): 1,
        ("2026-03-02", "fast|openai|a"): 1,
    }


def test_another_month_begins_anew(table: None) -> None:
    count(calls.put([job("a"), job("b")]), most=1)
    count(calls.put([calls.record(calls.NOON.replace(month=4), team_uid="t1", job_type="b")]), most=1)
    assert counted_by_day() == {
        ("2026-03-01", "fast|openai|a"): 1,
        ("2026-03-01", "other|other|other"): 1,
        ("2026-04-01", "fast|openai|b"): 1,
    }
