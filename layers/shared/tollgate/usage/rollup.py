"""Counts calls and jobs into their buckets, each exactly once, however often and in whatever order they are delivered.

A transaction marks what is counted and adds it to its buckets, all or nothing. What is marked already cancels it, is
left out, and the rest is sent again. No sequence number is looked at, so redelivery, reordering, bisected batches,
split shards, crashes and several consumers at once change nothing. A job is counted twice, under two marks: that it was
made, and how it ended.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from tollgate.aws.dynamodb import DynamoDB, TransactionCancelledError
from tollgate.core.errors import StoreUnavailableError
from tollgate.usage import figures
from tollgate.usage.days import Days
from tollgate.usage.figures import Figures, Image, text
from tollgate.usage.layout import (
    BUCKET_KIND,
    Bucket,
    Dimensions,
    Owner,
    buckets_of,
    buckets_of_job,
    day_of,
    day_of_job,
    dimensions_of,
    dimensions_of_job,
    owner_of,
    total_of,
)
from tollgate.usage.names import Names

JOB_KIND = "job"
# The marks: of a call, or of a job that was made; and of a job that has ended.
MADE_MARK = "rolled"
END_MARK = "rolled_end"
# What a transaction takes, marks and buckets together.
MOST_WRITES = 100
# Conflicts with other consumers after which a transaction is sent in halves.
_PATIENCE = 3
_ATTEMPTS = 8
_SIDE_BY_SIDE = 8
_TRANSIENT = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}
_MARKED = "ConditionalCheckFailed"

Key = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Counted:
    """A call, the making of a job or its end, as it will be counted. ``delivery`` is what the caller knows it by."""

    delivery: str
    key: Key
    mark: str
    owner: Owner
    day: str
    figures: Figures
    buckets: tuple[Bucket, ...]


class Rollup:
    """Counts call records and jobs. Any number may run at once, on the same ones.

    ``written`` sums what this one has counted.
    """

    def __init__(self, db: DynamoDB, table_name: str, names: Names) -> None:
        self.written = figures.NOTHING
        self._db = db
        self._table = table_name
        self._names = names
        self._days = Days(db, table_name)

    async def count(self, records: Iterable[tuple[str, Image]]) -> set[str]:
        """Counts call records and jobs that come with a name for their delivery; the names of those that could not be.

        A record that cannot be understood, and one that the table refuses, fail alone.
        """
        failed: set[str] = set()
        by_owner: dict[str, list[Counted]] = defaultdict(list)
        for delivery, image in records:
            try:
                understood = await self._understood(delivery, image)
            except (KeyError, ValueError, TypeError, InvalidOperation, StoreUnavailableError):
                failed.add(delivery)
            else:
                for counted in understood:
                    by_owner[counted.owner.uid].append(counted)
        if not by_owner:
            return failed
        await self._days.touch_late({one.day for own in by_owner.values() for one in own}, time.time())
        # Buckets of different owners are different items: only records of one owner could conflict.
        side_by_side = asyncio.Semaphore(_SIDE_BY_SIDE)
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(self._count_owner(own, side_by_side)) for own in by_owner.values()]
        return failed.union(*(part.result() for part in parts))

    async def _understood(self, delivery: str, image: Image) -> list[Counted]:
        """What has to be counted of a record: nothing that its image shows to be marked already."""
        owner = owner_of(image)
        if text(image, "kind") == JOB_KIND:
            day = day_of_job(image)
            dimensions = await self._admitted(owner, day, dimensions_of_job(image))
            buckets = (*buckets_of_job(image, dimensions), total_of(owner))
            parts = {MADE_MARK: figures.MADE}
            parts |= {END_MARK: figures.of_ended_job(image)} if figures.has_ended(image) else {}
        else:
            day = day_of(image)
            buckets = tuple(buckets_of(image, await self._admitted(owner, day, dimensions_of(image))))
            parts = {MADE_MARK: figures.of_call(image)}
        key = {"PK": dict(image["PK"]), "SK": dict(image["SK"])}
        return [
            Counted(delivery, key, mark, owner, day, part, buckets) for mark, part in parts.items() if mark not in image
        ]

    async def _admitted(self, owner: Owner, day: str, dimensions: Dimensions) -> Dimensions:
        time.strptime(day, "%Y-%m-%d")
        return await self._names.admitted(self._db, owner.uid, day, dimensions)

    async def _count_owner(self, own: list[Counted], side_by_side: asyncio.Semaphore) -> set[str]:
        async with side_by_side:
            failed: set[str] = set()
            # A transaction may touch an item once: both marks of a job go into different ones.
            for mark in (MADE_MARK, END_MARK):
                for part in _fitting(one for one in own if one.mark == mark):
                    failed |= await self._write(part)
            return failed

    async def _write(self, calls: list[Counted]) -> set[str]:
        """Counts calls that fit one transaction; the deliveries that failed."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
            try:
                await self._send(calls)
            except StoreUnavailableError:
                break
            except TransactionCancelledError as cancelled:
                if not set(cancelled.reasons) & _TRANSIENT:
                    return await self._halved(calls)
                if attempt >= _PATIENCE and len(calls) > 1:
                    return await self._halved(calls)
            except RuntimeError:
                # The table says that the request is none: one of the calls is to blame.
                return await self._halved(calls)
            else:
                return set()
        return {call.delivery for call in calls}

    async def _halved(self, calls: list[Counted]) -> set[str]:
        if len(calls) == 1:
            return {calls[0].delivery}
        middle = len(calls) // 2
        return await self._write(calls[:middle]) | await self._write(calls[middle:])

    async def _send(self, calls: list[Counted]) -> None:
        """Sends until nothing cancels the transaction but what may pass; leaves out the calls that are counted."""
        while calls:
            try:
                await self._db.call("TransactWriteItems", {"TransactItems": self._writes(calls)})
            except TransactionCancelledError as cancelled:
                marked = {index for index, reason in enumerate(cancelled.reasons) if reason == _MARKED}
                if not marked:
                    raise
                calls = [call for index, call in enumerate(calls) if index not in marked]
            else:
                self.written += figures.total(call.figures for call in calls)
                return

    def _writes(self, calls: list[Counted]) -> list[dict[str, Any]]:
        """The marks, in the order of the calls, then the buckets."""
        return [
            *({"Update": self._mark(call)} for call in calls),
            *({"Update": self._added(bucket, sums)} for bucket, sums in merged(calls).items()),
        ]

    def _mark(self, call: Counted) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": call.key,
            "UpdateExpression": "SET #mark = :yes",
            "ConditionExpression": "attribute_exists(PK) AND attribute_not_exists(#mark)",
            "ExpressionAttributeNames": {"#mark": call.mark},
            "ExpressionAttributeValues": {":yes": {"BOOL": True}},
        }

    def _added(self, bucket: Bucket, sums: Figures) -> dict[str, Any]:
        return bucket_update(self._table, bucket, "ADD", sums.counted())


def bucket_update(table_name: str, bucket: Bucket, verb: str, numbers: dict[str, Decimal]) -> dict[str, Any]:
    """An update of a bucket that adds (``ADD``) or sets (``SET``) figures by their names in items."""
    texts = {**bucket.texts, "kind": BUCKET_KIND}
    between = " " if verb == "ADD" else " = "
    figures_part = ", ".join(f"#{name}{between}:{name}" for name in numbers)
    texts_part = ", ".join(f"#{name} = :{name}" for name in texts)
    join = " ADD " if verb == "ADD" else ", "
    return {
        "TableName": table_name,
        "Key": {"PK": {"S": bucket.pk}, "SK": {"S": bucket.sk}},
        "UpdateExpression": f"SET {texts_part}{join}{figures_part}",
        "ExpressionAttributeNames": {f"#{name}": name for name in (*texts, *numbers)},
        "ExpressionAttributeValues": {
            **{f":{name}": {"S": value} for name, value in texts.items()},
            **{f":{name}": {"N": format(value, "f")} for name, value in numbers.items()},
        },
    }


def merged(calls: Iterable[Counted]) -> dict[Bucket, Figures]:
    """What the calls add to each bucket that any of them belongs to."""
    sums: dict[Bucket, Figures] = {}
    for call in calls:
        for bucket in call.buckets:
            sums[bucket] = sums.get(bucket, figures.NOTHING) + call.figures
    return sums


def _fitting(calls: Iterable[Counted]) -> Iterator[list[Counted]]:
    """The calls in parts that fit a transaction each, a call told once."""
    part: list[Counted] = []
    buckets: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for call in calls:
        own = {(bucket.pk, bucket.sk) for bucket in call.buckets}
        if len(part) + 1 + len(buckets | own) > MOST_WRITES and part:
            yield part
            part, buckets = [], set()
        pk = str(call.key["PK"]["S"])
        if pk not in seen:
            seen.add(pk)
            part.append(call)
            buckets |= own
    if part:
        yield part
