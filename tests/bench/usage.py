"""A month of usage over calls that grow: the read units and the time of the real handlers."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from tests.bench.lists import _metered
from tests.support import build, calls
from tests.support.api import call
from tests.support.environment import empty_table, write
from tests.support.items import raw_items
from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings
from tollgate.usage.names import Names
from tollgate.usage.rollup import Rollup

SIZES = (1_000, 100_000)
LONG_SIZES = (1_000, 1_000_000)
ORGANIZATION = "org_bench"
TEAMS = ("bench-0", "bench-1", "bench-2", "bench-3")
MODELS = ("fast", "slow", "wise")
JOB_TYPES = (None, "resume")
DAYS = 28
_KEYS = 5
_AT_ONCE = 2_000
_ROUNDS = 9
_SPAN = {"start_date": "2026-02-01", "end_date": "2026-02-28"}
QUESTIONS = {
    "by team": (f"/api/organizations/{ORGANIZATION}/usage", {"period": "2026-02"}),
    "by model": ("/api/usage", {"scope": "organization", "id": ORGANIZATION, "group_by": "model", **_SPAN}),
    "by day": (f"/api/organizations/{ORGANIZATION}/usage/timeline", _SPAN),
    "of one team": (f"/api/teams/{TEAMS[0]}/usage", {"period": "2026-02"}),
}


@dataclass(frozen=True)
class Reading:
    """What a question consumed, and how many calls its answer is about."""

    units: float
    milliseconds: float
    calls: int


def months(sizes: tuple[int, ...]) -> dict[str, dict[int, Reading]]:
    """Every question, by the number of calls in the month. The table has buckets of open days only: the dearer case."""
    empty_table()
    build.organization(ORGANIZATION)
    for team in TEAMS:
        build.team(team, ORGANIZATION)
    uids = {item[f"{kind}_id"]["S"]: item["uid"]["S"] for kind in ("team", "organization") for item in _items(kind)}
    numbers, have = iter(range(max(sizes))), 0
    found: dict[str, dict[int, Reading]] = {question: {} for question in QUESTIONS}
    for size in sizes:
        asyncio.run(_add(islice(numbers, size - have), uids))
        have = size
        for question, (path, query) in QUESTIONS.items():
            found[question][size] = _reading(path, query)
    return found


def _items(kind: str) -> list[calls.Item]:
    return [item for item in raw_items() if item["kind"]["S"] == kind]


async def _add(numbers: Iterator[int], uids: dict[str, str]) -> None:
    """Writes the records of calls and has them counted by the consumer's own code."""
    config = settings()
    async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
        rollup = Rollup(db, config.table_name, Names(config.table_name))
        while records := [_record(number, uids) for number in islice(numbers, _AT_ONCE)]:
            write([{"PutRequest": {"Item": record}} for record in records])
            assert not await rollup.count((record["PK"]["S"], record) for record in records)


def _record(number: int, uids: dict[str, str]) -> calls.Item:
    """The first calls are one of every kind, so that more of them make no more buckets."""
    kind, day = divmod(number, DAYS)
    kind, team = divmod(kind, len(TEAMS))
    kind, model = divmod(kind, len(MODELS))
    turn, job = divmod(kind, len(JOB_TYPES))
    return calls.record(
        datetime(2026, 2, day + 1, turn % 24, tzinfo=UTC),
        team_id=TEAMS[team],
        team_uid=uids[TEAMS[team]],
        organization_id=ORGANIZATION,
        organization_uid=uids[ORGANIZATION],
        key_id=f"{TEAMS[team]}-{turn % _KEYS}",
        requested_model=MODELS[model],
        job_type=JOB_TYPES[job],
    )


def _reading(path: str, query: dict[str, str]) -> Reading:
    with _metered() as units:
        answer = call("GET", path, query=query)
    assert answer.status == 200, answer.text
    return Reading(sum(units), statistics.median(_timed(path, query) for _ in range(_ROUNDS)), _calls_in(answer.body))


def _timed(path: str, query: dict[str, str]) -> float:
    began = time.perf_counter()
    call("GET", path, query=query)
    return (time.perf_counter() - began) * 1000


def _calls_in(body: dict[str, object]) -> int:
    """The calls of which an answer tells, in whichever form."""
    match body:
        case {"summary": {"total_calls": int(found)}} | {"total": {"total_calls": int(found)}}:
            return found
        case {"points": list(points)}:
            return sum(point["calls"] for point in points)
    raise AssertionError(body)
