"""Jobs are in the usage once, made and ended, however the stream delivers their images."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import calls, job_images
from tests.support.environment import TABLE, empty_table
from tests.support.items import all_items, put_raw, raw_items
from tests.support.job_images import ended, made
from tests.support.stream import Record, SimulatedStream, insert
from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings as configuration
from tollgate.usage.names import Names
from tollgate.usage.rebuild import Rebuild, Rebuilt
from workers import close_days, rollup

Buckets = dict[tuple[str, str, str], dict[str, Decimal]]


def images(*items: calls.Item) -> list[Record]:
    """The job's images in the stream, the first of them of its creation."""
    return [insert(item, number, "MODIFY" if number else "INSERT") for number, item in enumerate(items)]


def consume(records: list[Record]) -> None:
    assert rollup.handler({"Records": records}, None) == {"batchItemFailures": []}


def put_last(*items: calls.Item) -> None:
    """The table as it is when the images are delivered."""
    put_raw([items[-1]])


def day_of(job_type: str = "resume") -> dict[str, Any]:
    return calls.stored_buckets()["OWNER#t1", "2026-03-01#t1", f"None|None|{job_type}"]


def total() -> dict[str, Any]:
    (item,) = [item for item in all_items() if item["PK"] == "USAGE#OWNER#t1" and item["SK"] == "TOTAL"]
    return {name: value for name, value in item.items() if value}


def test_a_job_that_completes(table: None) -> None:
    job = made(key_id="k1")
    states = job, job | {"status": {"S": "in_progress"}}, ended(job, "completed", 3)
    put_last(*states)
    consume(images(*states))
    assert calls.stored_buckets() == job_images.expected_buckets([states[-1]])
    assert day_of() == {"jb": 1, "js": 1, "cr": 3}
    assert {name: total()[name] for name in ("jb", "js", "cr", "owner_uid")} == day_of() | {"owner_uid": "t1"}


def test_an_open_job_is_counted_and_has_not_ended(table: None) -> None:
    job = made()
    put_last(job)
    consume(images(job, job | {"status": {"S": "in_progress"}}))
    assert day_of() == {"jb": 1}


@pytest.mark.parametrize(("status", "name"), [("failed", "jf"), ("cancelled", "jc"), ("completed", "js")])
def test_what_is_not_charged_is_unbilled(table: None, status: str, name: str) -> None:
    job = made()
    put_last(job, ended(job, status, unbilled=Decimal("0.25")))
    consume(images(job, ended(job, status, unbilled=Decimal("0.25"))))
    assert day_of() == {"jb": 1, name: 1, "ub": Decimal("0.25")}


ORDERS: dict[str, Callable[[list[Record]], list[list[Record]]]] = {
    "twice": lambda both: [both, both],
    "the end first": lambda both: [both[1:], both[:1], both],
    "backwards in one batch": lambda both: [both[::-1]],
    "each by itself": lambda both: [[one] for one in both],
}


@pytest.mark.parametrize("order", ORDERS)
def test_however_it_is_delivered(table: None, order: str) -> None:
    job = made()
    put_last(job, ended(job, "completed", 1))
    for batch in ORDERS[order](images(job, ended(job, "completed", 1))):
        consume(batch)
    assert day_of() == {"jb": 1, "js": 1, "cr": 1}


def test_a_change_of_a_job_that_is_counted_writes_nothing(table: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even its day is touched: one that is closed stays so, whatever happens to the job's metadata."""
    job = made()
    put_last(job)
    consume(images(job))
    before = raw_items()
    marked = next(item for item in before if item["kind"]["S"] == "job")
    monkeypatch.setattr(time, "time", lambda: calls.NOON.timestamp() + 10 * 86_400)
    consume([insert(marked | {"metadata": {"M": {}}}, 1, "MODIFY")])
    assert raw_items() == before


def test_the_sum_of_an_uncharged_job_is_a_metric(
    table: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    job = made()
    both = images(job, ended(job, "failed", unbilled=Decimal("1.5")))
    put_last(job, ended(job, "failed", unbilled=Decimal("1.5")))
    consume(both)
    consume(both)
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"UnbilledUsd"' in line]
    assert [line["UnbilledUsd"] for line in written] == [[1.5], [0.0]]


def test_a_job_that_ends_days_later_opens_its_closed_day(table: None, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = calls.NOON.timestamp()
    monkeypatch.setattr(time, "time", lambda: moment)
    job = made()
    put_last(job)
    consume(images(job))
    moment += 2 * 86_400
    assert "2026-03-01" in close_days.handler({}, None)["days"]
    put_last(job | {"rolled": {"BOOL": True}})
    consume(images(ended(job, "completed", 2)))
    (day,) = [item for item in all_items() if item["kind"] == "usage_day" and item["SK"] == "2026-03-01"]
    assert (day["touches"], day["closed"]) == (1, 0)
    moment += 3_600
    assert close_days.handler({}, None)["days"] == ["2026-03-01"]
    sums = [item for item in all_items() if item["kind"] == "usage_sum"]
    assert [(item["PK"], item["jb"], item["js"], item["cr"]) for item in sums] == [
        ("USAGE#ORGANIZATION#o1", 1, 1, 2),
        ("USAGE#ORGANIZATION#o1", 1, 1, 2),
        ("USAGE#PLATFORM#platform", 1, 1, 2),
    ]


MISDELIVERED = given(seed=st.integers(0, 2**32), number=st.integers(1, 12))


@MISDELIVERED
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_jobs_and_calls_misdelivered(seed: int, number: int) -> None:
    misdelivered(seed, number)


@pytest.mark.engine
@MISDELIVERED
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_jobs_and_calls_misdelivered_on_the_engine(seed: int, number: int) -> None:
    misdelivered(seed, 3 * number)


def misdelivered(seed: int, number: int) -> None:
    """Images again, in halves, in any order; the end of a job may come long before its beginning."""
    empty_table()
    rollup._names.cache_clear()
    chance = random.Random(seed)
    jobs = some(chance, number)
    last = [job_images.ending(job, chance) if chance.random() < 0.8 else job for job in jobs]
    records = calls.put(calls.some(chance, number))
    put_raw(last)
    stream = SimulatedStream(chance, 2)
    stream.write([*jobs, *records])
    stream.write([now for now, before in zip(last, jobs, strict=True) if now is not before], "MODIFY")
    for _ in range(3):
        for shard, batch in stream.batches(20):
            stream.deliver(shard, batch, consumed)
        stream.rewind()
    stream.drain(consumed)
    assert calls.stored_buckets() == merged(calls.expected_buckets(records), job_images.expected_buckets(last))


def test_a_rebuild_counts_jobs_and_repairs_their_buckets(table: None) -> None:
    rollup._names.cache_clear()
    chance = random.Random(7)
    last = [job_images.ending(job, chance) for job in some(chance, 12, teams=("t1",))]
    put_raw(last)
    assert rebuilt("2026-03-01").counted + rebuilt("2026-03-02").counted == 12
    assert calls.stored_buckets() == job_images.expected_buckets(last)
    right = total()
    damaged = [
        item | {"js": {"N": "99"}, "cr": {"N": "1"}} for item in raw_items() if item["PK"]["S"].startswith("USAGE#OWN")
    ]
    put_raw([item for item in damaged if "kind" in item and item["kind"]["S"] == "usage"])
    assert rebuilt("2026-03-01").repaired > 0
    assert rebuilt("2026-03-02").repaired > 0
    assert calls.stored_buckets() == job_images.expected_buckets(last)
    assert total() == right


def some(chance: random.Random, number: int, teams: tuple[str, ...] = ("t1", "t2")) -> list[calls.Item]:
    return [
        made(
            calls.NOON.replace(day=chance.randint(1, 2), hour=chance.choice([0, 12, 23])),
            team_uid=chance.choice(teams),
            job_type=chance.choice(["resume", "letter"]),
            key_id=chance.choice(["k1", None]),
        )
        for _ in range(number)
    ]


def consumed(event: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = rollup.handler(event, None)
    return answer


def merged(*parts: Buckets) -> Buckets:
    found: Buckets = {}
    for part in parts:
        for bucket, figures in part.items():
            own = found.setdefault(bucket, {})
            for name, value in figures.items():
                own[name] = own.get(name, Decimal(0)) + value
    return found


def rebuilt(day: str) -> Rebuilt:
    async def run() -> Rebuilt:
        config = configuration()
        async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
            work = Rebuild(db, TABLE, Names(TABLE), calls.NOON.timestamp(), settle_seconds=0)
            done = await work.day("t1", day)
            assert await work.jobs("t1")
            return done

    return asyncio.run(run())
