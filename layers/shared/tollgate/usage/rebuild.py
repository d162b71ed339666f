"""Counts the days of an owner anew from its calls; safe beside running consumers, and at any interruption.

Every bucket belongs to one owner and day, so the calls of that owner and day say what must stand in it. First whatever
was never counted is counted, as the consumer does it. Then each bucket is held against the sum of the calls that are
marked as counted, and set to that sum where it differs, unless it was written in between: its number of calls tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from tollgate.aws.dynamodb import ConditionFailedError, DynamoDB, Item
from tollgate.table import keys
from tollgate.usage.days import Days
from tollgate.usage.figures import ATTRIBUTES, NOTHING, Figures, of_bucket, of_call, text
from tollgate.usage.layout import Bucket, buckets_of, dimensions_of
from tollgate.usage.names import Names
from tollgate.usage.rollup import Rollup, bucket_update

CALL_KIND = "call"
_PAGE = 1000
_KEYS_AT_ONCE = 100
_ATTEMPTS = 4
# Longer than the index, in which the calls are found, is behind the table.
_SETTLE_SECONDS = 2.0
_FROM_JOBS = ("jobs", "jobs_successful", "jobs_failed")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done for an owner and day. ``failed`` calls could not be counted; ``busy`` buckets kept changing."""

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
        async for call in self._calls(owner_uid, day):
            if "rolled" not in call:
                page.append(call)
            if len(page) == _PAGE:
                done, page = await self._count(done, page), []
        return await self._count(done, page)

    async def _count(self, done: Rebuilt, calls: list[Item]) -> Rebuilt:
        failed = await self._rollup.count((call["PK"]["S"], call) for call in calls)
        return replace(done, counted=done.counted + len(calls) - len(failed), failed=done.failed + len(failed))

    async def _wrong(self, owner_uid: str, day: str) -> dict[Bucket, Item | None]:
        """The buckets that are not the sums of their calls, as they stand."""
        expected = await self._expected(owner_uid, day)
        stored = await self._stored(owner_uid, day, list(expected))
        return {
            bucket: item
            for bucket, item in stored.items()
            if (of_bucket(item) if item else NOTHING) != _kept(expected.get(bucket, NOTHING), item)
        }

    async def _repair(self, owner_uid: str, day: str, wrong: dict[Bucket, Item | None]) -> int:
        """Sets the buckets right that nobody has written since; how many.

        They were read before the calls are read again, and the index is given time in between: so every call that is in
        a bucket as it was read is seen as counted. One that was counted after that has changed its bucket's number of
        calls.
        """
        await self._days.touch(day, self._now)
        await asyncio.sleep(self._settle_seconds)
        expected = await self._expected(owner_uid, day)
        repaired = 0
        for bucket, item in wrong.items():
            repaired += await self._set(bucket, item, _kept(expected.get(bucket, NOTHING), item))
        return repaired

    async def _set(self, bucket: Bucket, item: Item | None, figures: Figures) -> bool:
        calls = ATTRIBUTES["calls"]
        numbers = dict.fromkeys(ATTRIBUTES.values(), NOTHING.calls) | figures.counted()
        update = bucket_update(self._table, bucket, "SET", numbers)
        if item is None or calls not in item:
            update["ConditionExpression"] = f"attribute_not_exists(#{calls})"
        else:
            update["ConditionExpression"] = f"#{calls} = :seen"
            update["ExpressionAttributeValues"] |= {":seen": item[calls]}
        try:
            await self._db.call("UpdateItem", update)
        except ConditionFailedError:
            return False
        return True

    async def _expected(self, owner_uid: str, day: str) -> dict[Bucket, Figures]:
        """The sums of the calls that are marked as counted."""
        sums: dict[Bucket, Figures] = {}
        async for call in self._calls(owner_uid, day):
            if "rolled" in call:
                dimensions = await self._names.admitted(self._db, owner_uid, day, dimensions_of(call))
                figures = of_call(call)
                for bucket in buckets_of(call, dimensions):
                    sums[bucket] = sums.get(bucket, NOTHING) + figures
        return sums

    async def _stored(self, owner_uid: str, day: str, buckets: list[Bucket]) -> dict[Bucket, Item | None]:
        """The buckets as they stand, and those of the owner that no call belongs to."""
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


def _kept(expected: Figures, item: Item | None) -> Figures:
    """What must stand in the bucket: the calls' sums, and the jobs that no call tells of."""
    stored = of_bucket(item) if item else NOTHING
    return expected._replace(**{name: getattr(stored, name) for name in _FROM_JOBS})


def _texts(item: Item) -> dict[str, str]:
    """Everything but figures, keys of the table and kind: what a bucket says beside them."""
    return {name: value["S"] for name, value in item.items() if "S" in value and name not in {"PK", "SK", "kind"}}
