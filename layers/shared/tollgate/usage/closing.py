"""Closes days that are over: what an organization and the platform used, as sums that cost no more than they show.

Until a day is closed they are summed from their owners' buckets on every read. A closed day's sums are absolute, so
closing again, at once or after half of it was done, changes nothing. A call that is counted late opens its day again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tollgate.aws.dynamodb import DynamoDB, Item
from tollgate.table import keys
from tollgate.usage.days import CLOSABLE, UNTOUCHED, Days, DayState, end_of
from tollgate.usage.figures import NOTHING, Figures, Image, of_bucket, text
from tollgate.usage.layout import Bucket, Dimensions

SUM_KIND = "usage_sum"
# A day that was touched is left alone for so long: whoever touched it writes, and the index shows it, within that time.
_QUIET_SECONDS = 600
# How far back the first run looks.
_FIRST_DAYS = 31
_SIDE_BY_SIDE = 16
_OF_OWNER = ("owner_uid", "team_id", "organization_id")


@dataclass(frozen=True, slots=True)
class Closed:
    """What a run did: the days it closed, and the sums written for them."""

    days: tuple[str, ...] = ()
    sums: int = 0


class Closer:
    """Closes days. Any number may run at once."""

    def __init__(self, db: DynamoDB, table_name: str) -> None:
        self._db = db
        self._table = table_name
        self._days = Days(db, table_name)

    async def close(self, now: float) -> Closed:
        """Closes every day that is over at ``now`` (epoch seconds), is not closed, and has come to rest."""
        days, written = [], 0
        for day, state in _due(await self._days.all(), now):
            sums = _sums(await self._buckets(day))
            await self._put(sums)
            written += len(sums)
            if await self._days.close(day, state):
                days.append(day)
        return Closed(tuple(days), written)

    async def _buckets(self, day: str) -> list[Item]:
        """What every owner used on the day."""
        slices = [self._db.query(self._slice(number, day)) for number in range(keys.USAGE_SLICES)]
        return [item for found in await asyncio.gather(*slices) for item in found]

    def _slice(self, number: int, day: str) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "IndexName": "GSI2",
            "KeyConditionExpression": "GSI2PK = :slice AND GSI2SK BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":slice": {"S": keys.usage_slice(number)},
                ":first": {"S": keys.usage_day(day)},
                ":last": {"S": keys.usage_days_end(day)},
            },
        }

    async def _put(self, sums: Mapping[Bucket, Figures]) -> None:
        side_by_side = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def put(bucket: Bucket, figures: Figures) -> None:
            item: Item = {"PK": {"S": bucket.pk}, "SK": {"S": bucket.sk}, "kind": {"S": SUM_KIND}}
            item |= {name: {"S": value} for name, value in bucket.texts.items()}
            item |= {name: {"N": format(value, "f")} for name, value in figures.counted().items()}
            async with side_by_side:
                await self._db.call("PutItem", {"TableName": self._table, "Item": item})

        await asyncio.gather(*[put(bucket, figures) for bucket, figures in sums.items()])


def _due(states: Mapping[str, DayState], now: float) -> Iterator[tuple[str, DayState]]:
    """Days to close, oldest first: those that were opened again, and those since the last one that was closed."""
    last = (datetime.fromtimestamp(now, UTC) - CLOSABLE).date() - timedelta(days=1)
    closed = [date.fromisoformat(day) for day, state in states.items() if state.closed is not None]
    first = max(closed) + timedelta(days=1) if closed else last - timedelta(days=_FIRST_DAYS - 1)
    days = {(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)} | set(states)
    for day in sorted(days):
        state = states.get(day, UNTOUCHED)
        over = end_of(day) + CLOSABLE <= datetime.fromtimestamp(now, UTC)
        if over and not state.is_closed and state.touched_at <= now - _QUIET_SECONDS:
            yield day, state


def _sums(buckets: Iterable[Image]) -> dict[Bucket, Figures]:
    sums: dict[Bucket, Figures] = defaultdict(lambda: NOTHING)
    for bucket in buckets:
        for whole in _wholes_of(bucket):
            sums[whole] += of_bucket(bucket)
    return dict(sums)


def _wholes_of(bucket: Image) -> Iterator[Bucket]:
    """The sums that an owner's bucket belongs to: by its dimensions, and an organization's also by owner."""
    day = text(bucket, "day") or ""
    sk = keys.usage_day(day, keys.USAGE_ALL_OWNERS, dimensions_of_bucket(bucket).digest)
    named = {"day": day, **_texts(bucket, ("model", "provider", "job_type"))}
    yield Bucket(keys.usage_of(keys.USAGE_PLATFORM, keys.PLATFORM), sk, named)
    organization_uid = text(bucket, "organization_uid")
    if organization_uid is not None:
        pk = keys.usage_of(keys.USAGE_ORGANIZATION, organization_uid)
        yield Bucket(pk, sk, named)
        team = keys.usage_team(day, text(bucket, "owner_uid") or "")
        yield Bucket(pk, team, {"day": day, **_texts(bucket, _OF_OWNER)})


def dimensions_of_bucket(bucket: Image) -> Dimensions:
    """The dimensions that stand in an owner's bucket."""
    return Dimensions(text(bucket, "model") or "", text(bucket, "provider") or "", text(bucket, "job_type"))


def _texts(bucket: Image, names: Iterable[str]) -> dict[str, str]:
    return {name: value for name in names if (value := text(bucket, name)) is not None}
