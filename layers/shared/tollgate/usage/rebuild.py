"""Counts the days of an owner anew from its calls and jobs; safe beside running consumers, and at any interruption.

Every bucket belongs to one owner and day, so the calls and jobs of that owner and day say what must stand in it. First
whatever was never counted is counted, as the consumer does it. Then each bucket is held against the sum of what is
marked as counted, and set to that sum where it differs, unless it was written in between: its numbers of calls and jobs
tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, Item
from tollgate.core import ids
from tollgate.table import keys
from tollgate.usage.days import Days
from tollgate.usage.figures import (
    ATTRIBUTES,
    MADE,
    NOTHING,
    Figures,
    has_ended,
    of_bucket,
    of_call,
    of_ended_job,
    text,
)
from tollgate.usage.layout import (
    Bucket,
    buckets_of,
    buckets_of_job,
    day_of_job,
    dimensions_of,
    dimensions_of_job,
)
from tollgate.usage.names import Names
from tollgate.usage.rollup import END_MARK, JOB_KIND, MADE_MARK, Rollup, bucket_update

CALL_KIND = "call"
_PAGE = 1000
_KEYS_AT_ONCE = 100
_ATTEMPTS = 4
# Longer than the index, in which the calls are found, is behind the table.
_SETTLE_SECONDS = 2.0
# What grows with whatever is counted: a bucket of which they stand still has not been written.
_GROWING = ("calls", "jobs", "jobs_successful", "jobs_failed", "jobs_cancelled")
_OWNED = ("owner_uid", "team_id", "organization_id", "organization_uid")
# A job's id is made at about the time that stands in the job.
_SLACK = timedelta(minutes=5)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done for an owner and day. ``failed`` ones could not be counted; ``busy`` buckets kept changing."""

    counted: int = 0
    failed: int = 0
    repaired: int = 0
    busy: int = 0


class Rebuild:
    """Rebuilds usage. Any number may run at once."""

    def __init__(
        self, db: DynamoDB, table_name: str, names: Names, now: float, settle_seconds: float = _SETTLE_SECONDS
    ) -> None:
        self._db = db
        self._table = table_name
        self._names = names
        self._rollup = Rollup(db, table_name, names)
        self._days = Days(db, table_name)
        self._now = now
        self._settle_seconds = settle_seconds

    async def day(self, owner_uid: str, day: str) -> Rebuilt:
        """Rebuilds what one owner used on one day, ``YYYY-MM-DD``."""
        done = await self._count_uncounted(owner_uid, day)
        for _ in range(_ATTEMPTS):
            wrong = await self._wrong(owner_uid, day)
            if not wrong:
                return replace(done, busy=0)
            repaired = await self._repair(owner_uid, day, wrong)
            done = replace(done, repaired=done.repaired + repaired, busy=len(wrong) - repaired)
            if not done.busy:
                return done
        return done

    async def jobs(self, owner_uid: str) -> bool:
        """Sets what an owner's jobs come to since it exists to the sum of its days; whether nothing came in between.

        The sum of the days is read after the total that it is held against: whatever is counted meanwhile changes that.
        """
        place = keys.usage_of(keys.USAGE_OWNER, owner_uid), keys.USAGE_TOTAL
        for _ in range(_ATTEMPTS):
            item = (await self._db.batch_get(self._table, [place])).get(place)
            days, texts = NOTHING, _texts(item or {})
            async for bucket in self._items(place[0], None, keys.usage_day("0"), keys.usage_days_end("9")):
                texts = texts or {name: bucket[name]["S"] for name in _OWNED if name in bucket}
                days += of_bucket(bucket) if "model" not in bucket else NOTHING
            if days == (of_bucket(item) if item else NOTHING):
                return True
            if await self._set(Bucket(*place, texts), item, days):
                return True
        return False

    async def owners(self, day: str) -> set[str]:
        """Everybody who has buckets of that day, or is there to have calls."""
        slices = [(keys.usage_slice(number), "GSI2") for number in range(keys.USAGE_SLICES)]
        found = {keys.PLATFORM}
        for partition, index in slices:
            first, last = keys.usage_day(day), keys.usage_days_end(day)
            async for item in self._items(partition, index, first, last):
                found.add(item["owner_uid"]["S"])
        for partition, index in ((keys.TEAMS, "GSI2"), (keys.ORGANIZATIONS, "GSI1")):
            async for item in self._items(partition, index):
                found.add(item["uid"]["S"])
        return found

    async def _count_uncounted(self, owner_uid: str, day: str) -> Rebuilt:
        done = Rebuilt()
        page: list[Item] = []
        async for record in self._records(owner_uid, day):
            if MADE_MARK not in record or (has_ended(record) and END_MARK not in record):
                page.append(record)
            if len(page) == _PAGE:
                done, page = await self._count(done, page), []
        return await self._count(done, page)

    async def _count(self, done: Rebuilt, records: list[Item]) -> Rebuilt:
        failed = await self._rollup.count((record["PK"]["S"], record) for record in records)
        return replace(done, counted=done.counted + len(records) - len(failed), failed=done.failed + len(failed))

    async def _wrong(self, owner_uid: str, day: str) -> dict[Bucket, Item | None]:
        """The buckets that are not the sums of what is counted in them, as they stand."""
        expected = await self._expected(owner_uid, day)
        stored = await self._stored(owner_uid, day, list(expected))
        return {
            bucket: item
            for bucket, item in stored.items()
            if (of_bucket(item) if item else NOTHING) != expected.get(bucket, NOTHING)
        }

    async def _repair(self, owner_uid: str, day: str, wrong: dict[Bucket, Item | None]) -> int:
        """Sets the buckets right that nobody has written since; how many.

        They were read before the calls and jobs are read again, and the index is given time in between: so whatever is
        in a bucket as it was read is seen as counted. What was counted after that has changed one of the bucket's
        numbers that only grow.
        """
        await self._days.touch(day, self._now)
        await asyncio.sleep(self._settle_seconds)
        expected = await self._expected(owner_uid, day)
        repaired = 0
        for bucket, item in wrong.items():
            repaired += await self._set(bucket, item, expected.get(bucket, NOTHING))
        return repaired

    async def _set(self, bucket: Bucket, item: Item | None, figures: Figures) -> bool:
        numbers = dict.fromkeys(ATTRIBUTES.values(), NOTHING.calls) | figures.counted()
        update = bucket_update(self._table, bucket, "SET", numbers)
        seen = {ATTRIBUTES[name]: (item or {}).get(ATTRIBUTES[name]) for name in _GROWING}
        update["ConditionExpression"] = " AND ".join(
            f"#{name} = :seen_{name}" if value else f"attribute_not_exists(#{name})" for name, value in seen.items()
        )
        update["ExpressionAttributeValues"] |= {f":seen_{name}": value for name, value in seen.items() if value}
        try:
            await self._db.call("UpdateItem", update)
        except ConditionFailedError:
            return False
        return True

    async def _expected(self, owner_uid: str, day: str) -> dict[Bucket, Figures]:
        """The sums of what is marked as counted."""
        sums: dict[Bucket, Figures] = {}
        async for call in self._calls(owner_uid, day):
            if MADE_MARK in call:
                dimensions = await self._names.admitted(self._db, owner_uid, day, dimensions_of(call))
                _add(sums, buckets_of(call, dimensions), of_call(call))
        async for job in self._jobs(owner_uid, day):
            counted = MADE if MADE_MARK in job else NOTHING
            counted += of_ended_job(job) if END_MARK in job else NOTHING
            if counted != NOTHING:
                dimensions = await self._names.admitted(self._db, owner_uid, day, dimensions_of_job(job))
                _add(sums, buckets_of_job(job, dimensions), counted)
        return sums

    async def _stored(self, owner_uid: str, day: str, buckets: list[Bucket]) -> dict[Bucket, Item | None]:
        """The buckets as they stand, and those of the owner that nothing belongs to."""
        found: dict[Bucket, Item | None] = dict.fromkeys(buckets)
        by_key = {(bucket.pk, bucket.sk): bucket for bucket in buckets}
        wanted = list(by_key)
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            items = await self._db.batch_get(self._table, wanted[start : start + _KEYS_AT_ONCE])
            found |= {by_key[key]: item for key, item in items.items()}
        partition = keys.usage_of(keys.USAGE_OWNER, owner_uid)
        days = (keys.usage_day(day), keys.usage_days_end(day))
        hours = (keys.usage_hour(day), keys.usage_hours_end(f"{day}T23"))
        for first, last in (days, hours):
            async for item in self._items(partition, None, first, last):
                key = item["PK"]["S"], item["SK"]["S"]
                if key not in by_key:
                    found[Bucket(*key, _texts(item))] = item
        return found

    async def _records(self, owner_uid: str, day: str) -> AsyncIterator[Item]:
        async for call in self._calls(owner_uid, day):
            yield call
        async for job in self._jobs(owner_uid, day):
            yield job

    async def _jobs(self, owner_uid: str, day: str) -> AsyncIterator[Item]:
        """Jobs are in the order of their ids, which begin with the time; the day is that of their creation."""
        begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
        first, last = _id_at(begin - _SLACK), _id_at(begin + _DAY + _SLACK)
        async for job in self._items(keys.jobs_of(owner_uid), "GSI1", first, last, JOB_KIND):
            if day_of_job(job) == day:
                yield job

    def _calls(self, owner_uid: str, day: str) -> AsyncIterator[Item]:
        return self._items(keys.calls_of(owner_uid, day), "GSI1", kind=CALL_KIND)

    async def _items(
        self,
        partition: str,
        index: str | None,
        first: str | None = None,
        last: str | None = None,
        kind: str | None = None,
    ) -> AsyncIterator[Item]:
        prefix = index or ""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": f"{prefix}PK = :pk",
            "ExpressionAttributeValues": {":pk": {"S": partition}},
        }
        if first is not None and last is not None:
            query["KeyConditionExpression"] += f" AND {prefix}SK BETWEEN :first AND :last"
            query["ExpressionAttributeValues"] |= {":first": {"S": first}, ":last": {"S": last}}
        query |= {"IndexName": index} if index else {"ConsistentRead": True}
        while True:
            answer = await self._db.call("Query", query)
            for item in answer["Items"]:
                if kind is None or text(item, "kind") == kind:
                    yield item
            if "LastEvaluatedKey" not in answer:
                return
            query |= {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _add(sums: dict[Bucket, Figures], buckets: Iterable[Bucket], figures: Figures) -> None:
    for bucket in buckets:
        sums[bucket] = sums.get(bucket, NOTHING) + figures


def _id_at(moment: datetime) -> str:
    """What ids of that moment begin with, up to the digits that tell the version."""
    return ids.new_call_id(int(moment.timestamp() * 1000))[: len("01928000-0000")]


def _texts(item: Item) -> dict[str, str]:
    """Everything but figures, keys of the table and kind: what a bucket says beside them."""
    return {name: value["S"] for name, value in item.items() if "S" in value and name not in {"PK", "SK", "kind"}}
