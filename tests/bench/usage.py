"""A month of usage over calls that grow: the read units and the time of the real handlers.

A thousand and a hundred thousand calls take a minute or two, a million (``--long``) ten times as long; almost all of it
is the engine's, which writes the records.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from unittest.mock import patch

from tests.bench.lists import _metered
from tests.support import build, calls
from tests.support.api import call
from tests.support.environment import TABLE, empty_table
from tests.support.items import raw_items
from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings
from tollgate.table import keys
from tollgate.usage.closing import Closer
from tollgate.usage.figures import NOTHING, Figures, of_call
from tollgate.usage.layout import Bucket, buckets_of, dimensions_of
from tollgate.usage.rollup import MADE_MARK

SIZES = (1_000, 100_000)
LONG_SIZES = (1_000, 1_000_000)
ORGANIZATION = "org_bench"
TEAMS = ("bench-0", "bench-1", "bench-2", "bench-3")
MODELS = ("fast", "slow", "wise")
JOB_TYPES = (None, "resume")
DAYS = 28
_KEYS = 5
_BATCH = 25
_WRITERS = 6
_ROUNDS = 9
_SPAN = {"start_date": "2026-02-01", "end_date": "2026-02-28"}
QUESTIONS = {
    "by team": (f"/api/organizations/{ORGANIZATION}/usage", {"period": "2026-02"}),
    "by model": ("/api/usage", {"scope": "organization", "id": ORGANIZATION, "group_by": "model", **_SPAN}),
    "by day": (f"/api/organizations/{ORGANIZATION}/usage/timeline", _SPAN),
    "of one team": (f"/api/teams/{TEAMS[0]}/usage", {"period": "2026-02"}),
}
# When the worker has closed every day of the month but the last two.
_CLOSED_AT = datetime(2026, 2, 27, 12, tzinfo=UTC)
ALL_OPEN = ", all of its days open"


@dataclass(frozen=True)
class Reading:
    """What a question consumed, and how many calls its answer is about."""

    units: float
    milliseconds: float
    calls: int


def months(sizes: tuple[int, ...]) -> dict[str, dict[int, Reading]]:
    """Every question, by the number of calls in the month: as its last two days are open, and as all of them are.

    The second is what nobody sees unless the closing of days stands still; it is the dearest case there is.
    """
    empty_table()
    build.organization(ORGANIZATION)
    for team in TEAMS:
        build.team(team, ORGANIZATION)
    uids = {item[f"{kind}_id"]["S"]: item["uid"]["S"] for kind in ("team", "organization") for item in _items(kind)}
    filling, have = _Filling(uids), 0
    found: dict[str, dict[int, Reading]] = {question + state: {} for state in ("", ALL_OPEN) for question in QUESTIONS}
    for size in sizes:
        asyncio.run(filling.add(range(have, size)))
        have = size
        _ask_all(found, ALL_OPEN, size)
        closed = asyncio.run(_close_days())
        _ask_all(found, "", size)
        asyncio.run(_open_days(closed))
    return found


def _ask_all(found: dict[str, dict[int, Reading]], state: str, size: int) -> None:
    for question, (path, query) in QUESTIONS.items():
        found[question + state][size] = _reading(path, query)


async def _close_days() -> tuple[str, ...]:
    """Closes days as the worker does, and gives them back."""
    async with aclosing(_database()) as db:
        return (await Closer(db, TABLE).close(_CLOSED_AT.timestamp())).days


async def _open_days(days: tuple[str, ...]) -> None:
    """As if they had never been closed: their sums are written anew when they are."""
    async with aclosing(_database()) as db:
        for day in days:
            key = {"PK": {"S": keys.USAGE_DAYS}, "SK": {"S": day}}
            await db.call("DeleteItem", {"TableName": TABLE, "Key": key})


def _database() -> DynamoDB:
    config = settings()
    return DynamoDB(config.region, config.dynamodb_endpoint_url)


def _items(kind: str) -> list[calls.Item]:
    return [item for item in raw_items() if item["kind"]["S"] == kind]


class _Filling:
    """Calls in the table as the consumer leaves them: their records, marked, and buckets that are their sums.

    That the consumer's buckets are the calls' sums is what other tests prove; here it would take most of the time.
    """

    def __init__(self, uids: dict[str, str]) -> None:
        self._uids = uids
        self._kinds: Counter[_Kind] = Counter()

    async def add(self, numbers: range) -> None:
        async with aclosing(_database()) as db:
            await _put(db, (self._record(number) for number in numbers))
            self._kinds.update(_Kind.of(number) for number in numbers)
            await _put(db, self._buckets())

    def _record(self, number: int) -> calls.Item:
        return _Kind.of(number).record(self._uids) | {MADE_MARK: {"BOOL": True}}

    def _buckets(self) -> Iterator[calls.Item]:
        sums: dict[Bucket, Figures] = defaultdict(lambda: NOTHING)
        for kind, times in self._kinds.items():
            record = kind.record(self._uids)
            figures = Figures(*[figure * times for figure in of_call(record)])
            for bucket in buckets_of(record, dimensions_of(record)):
                sums[bucket] += figures
        for bucket, figures in sums.items():
            texts = {"PK": bucket.pk, "SK": bucket.sk, "kind": "usage", **bucket.texts}
            item: calls.Item = {name: {"S": value} for name, value in texts.items()}
            yield item | {name: {"N": format(value, "f")} for name, value in figures.counted().items()}


@dataclass(frozen=True)
class _Kind:
    """What calls have in common that are counted alike."""

    day: int
    hour: int
    team: int
    model: int
    job: int
    key: int

    @classmethod
    def of(cls, number: int) -> _Kind:
        """The first calls are one of every kind, so that more of them make no more buckets of days."""
        rest, day = divmod(number, DAYS)
        rest, team = divmod(rest, len(TEAMS))
        rest, model = divmod(rest, len(MODELS))
        turn, job = divmod(rest, len(JOB_TYPES))
        return cls(day, turn % 24, team, model, job, turn % _KEYS)

    def record(self, uids: dict[str, str]) -> calls.Item:
        """A new call of the kind."""
        team = TEAMS[self.team]
        return calls.record(
            datetime(2026, 2, self.day + 1, self.hour, tzinfo=UTC),
            team_id=team,
            team_uid=uids[team],
            organization_id=ORGANIZATION,
            organization_uid=uids[ORGANIZATION],
            key_id=f"{team}-{self.key}",
            requested_model=MODELS[self.model],
            job_type=JOB_TYPES[self.job],
        )


async def _put(db: DynamoDB, items: Iterator[calls.Item]) -> None:
    """Writes items by a handful of writers that work side by side."""

    async def writer() -> None:
        while batch := list(islice(items, _BATCH)):
            wanted = {TABLE: [{"PutRequest": {"Item": item}} for item in batch]}
            while wanted:
                wanted = (await db.call("BatchWriteItem", {"RequestItems": wanted})).get("UnprocessedItems") or {}

    await asyncio.gather(*[writer() for _ in range(_WRITERS)])


def _reading(path: str, query: dict[str, str]) -> Reading:
    with _metered() as units, _lean_metered(units):
        answer = call("GET", path, query=query)
    assert answer.status == 200, answer.text
    return Reading(sum(units), statistics.median(_timed(path, query) for _ in range(_ROUNDS)), _calls_in(answer.body))


@contextmanager
def _lean_metered(units: list[float]) -> Iterator[None]:
    """Adds the units of every query through the lean client."""
    real = DynamoDB.call

    async def noted(self: DynamoDB, operation: str, payload: dict[str, Any], **options: bool) -> dict[str, Any]:
        answer = await real(self, operation, {**payload, "ReturnConsumedCapacity": "TOTAL"}, **options)
        consumed = answer["ConsumedCapacity"]
        units.extend(part["CapacityUnits"] for part in (consumed if isinstance(consumed, list) else [consumed]))
        return answer

    with patch.object(DynamoDB, "call", noted):
        yield


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
