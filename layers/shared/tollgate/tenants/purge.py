"""Takes away what a team or an organization has left behind: calls, jobs and what was counted of them.

Everything is found anew each time and deleted by its key, so it may stop anywhere and be done again. Ledger and audit
events stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import date
from typing import Any

from tollgate.aws.dynamodb import DynamoDB, Item
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.usage.layout import buckets_of, buckets_of_job, dimensions_of, dimensions_of_job

_PAGE = 500
# What a batch takes.
_AT_ONCE = 25
_SIDE_BY_SIDE = 8
# Around every digest of dimensions, which is hexadecimal.
_FIRST_DIGEST, _LAST_DIGEST = "0", "g"

Place = tuple[str, str]


class Purge:
    """Deletes under one owner. ``check`` is called between pages; what it raises ends the run."""

    def __init__(self, db: DynamoDB, table_name: str, owner_uid: str, check: Callable[[], None]) -> None:
        self._db = db
        self._table = table_name
        self._uid = owner_uid
        self._check = check

    async def calls(self, day: date) -> None:
        """The calls of a day, with the buckets of whatever else they name."""
        async for items in self._pages(keys.calls_of(self._uid, day.isoformat()), GSI1):
            named = {bucket.pk for item in items for bucket in buckets_of(item, dimensions_of(item))}
            await self._buckets(named, day.isoformat())
            await self._delete(_place(item) for item in items)

    async def jobs(self) -> None:
        """All jobs with their counters, and the buckets of the keys that made them."""
        async for items in self._pages(keys.jobs_of(self._uid), GSI1):
            for item in items:
                named = {bucket.pk for bucket in buckets_of_job(item, dimensions_of_job(item))}
                await self._buckets(named, item["created_at"]["S"][:10])
            counters = ((keys.account(item["job_id"]["S"]), keys.counter()) for item in items)
            await self._delete([*(_place(item) for item in items), *counters])

    async def usage(self) -> None:
        """What was counted for the owner itself, or over an organization's owners."""
        for scope in (keys.USAGE_OWNER, keys.USAGE_ORGANIZATION):
            async for items in self._pages(keys.usage_of(scope, self._uid)):
                await self._delete(_place(item) for item in items)

    async def _buckets(self, partitions: Iterable[str], day: str) -> None:
        """The owner's part of a day in each partition of a key, user, customer, project or tag."""
        own = keys.usage_of(keys.USAGE_OWNER, self._uid)
        first, last = (keys.usage_day(day, self._uid, digest) for digest in (_FIRST_DIGEST, _LAST_DIGEST))
        for partition in sorted(set(partitions) - {own}):
            async for items in self._pages(partition, first=first, last=last):
                await self._delete(_place(item) for item in items)

    async def _pages(
        self, partition: str, index: str | None = None, first: str = " ", last: str = "~"
    ) -> AsyncIterator[list[Item]]:
        prefix = index or ""
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": f"{prefix}PK = :pk AND {prefix}SK BETWEEN :first AND :last",
            "ExpressionAttributeValues": {":pk": {"S": partition}, ":first": {"S": first}, ":last": {"S": last}},
            "Limit": _PAGE,
            **({"IndexName": index} if index else {}),
        }
        while True:
            self._check()
            answer = await self._db.call("Query", query)
            if answer["Items"]:
                yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _delete(self, places: Iterable[Place]) -> None:
        requests = [{"DeleteRequest": {"Key": {"PK": {"S": pk}, "SK": {"S": sk}}}} for pk, sk in set(places)]
        free = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def send(batch: list[Any]) -> None:
            async with free:
                while batch:
                    answer = await self._db.call("BatchWriteItem", {"RequestItems": {self._table: batch}})
                    batch = answer.get("UnprocessedItems", {}).get(self._table, [])

        await asyncio.gather(*(send(requests[start : start + _AT_ONCE]) for start in range(0, len(requests), _AT_ONCE)))


def _place(item: Item) -> Place:
    return item["PK"]["S"], item["SK"]["S"]
