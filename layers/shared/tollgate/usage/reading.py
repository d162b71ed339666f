"""Reads many buckets at once, for the admin plane: by the lean client, side by side, in DynamoDB's own JSON.

A month of an organization is hundreds of buckets. botocore takes ten times as long to parse them as all the rest of the
answer takes. None of this is for where an event loop runs.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import Settings, settings
from tollgate.usage.figures import Image

_SIDE_BY_SIDE = 16
# What a batch takes.
_KEYS_AT_ONCE = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Range:
    """A partition, of the table or of an index, from one sort key to another, both included."""

    partition: str
    first: str
    last: str
    index: str | None = None
    # Only so many, and the last ones first.
    newest: int | None = None
    # Only these attributes; empty: all.
    only: tuple[str, ...] = ()

    def query(self, table_name: str) -> dict[str, Any]:
        """Strongly consistent unless an index is named."""
        prefix = self.index or ""
        names = {f"#{number}": name for number, name in enumerate(self.only)}
        return {
            "TableName": table_name,
            "KeyConditionExpression": f"{prefix}PK = :pk AND {prefix}SK BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":pk": {"S": self.partition},
                ":first": {"S": self.first},
                ":last": {"S": self.last},
            },
            **({"IndexName": self.index} if self.index else {"ConsistentRead": True}),
            **({"ScanIndexForward": False, "Limit": self.newest} if self.newest else {}),
            **({"ProjectionExpression": ",".join(names), "ExpressionAttributeNames": names} if names else {}),
        }


def read(ranges: Sequence[Range]) -> list[Sequence[Image]]:
    """The items of each range, in order."""

    async def found(db: DynamoDB, table_name: str, one: Range) -> Sequence[Image]:
        if one.newest is None:
            return await db.query(one.query(table_name))
        return list((await db.call("Query", one.query(table_name)))["Items"])

    return _reader.each(found, ranges)


def read_pages(ranges: Sequence[Range]) -> list[tuple[Sequence[Image], bool]]:
    """A page of each range, in order, and whether there may be more of it."""

    async def found(db: DynamoDB, table_name: str, one: Range) -> tuple[Sequence[Image], bool]:
        answer = await db.call("Query", one.query(table_name))
        return answer["Items"], "LastEvaluatedKey" in answer

    return _reader.each(found, ranges)


def read_items(pairs: Sequence[tuple[str, str]]) -> list[Image]:
    """The items under (PK, SK) that are there, strongly consistent."""

    async def found(db: DynamoDB, table_name: str, part: list[tuple[str, str]]) -> list[Image]:
        return list((await db.batch_get(table_name, part)).values())

    parts = [list(pairs[start : start + _KEYS_AT_ONCE]) for start in range(0, len(pairs), _KEYS_AT_ONCE)]
    return [item for items in _reader.each(found, parts) for item in items]


class _Reader:
    """A thread with an event loop and a client. They stay, because making a connection takes longer than most reads.

    Whoever asks may come from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: tuple[Settings, asyncio.AbstractEventLoop, threading.Thread, DynamoDB] | None = None

    def each(self, work: Callable[[DynamoDB, str, Any], Awaitable[T]], parts: Sequence[Any]) -> list[T]:
        """What ``work`` gives for each of the parts, some of them side by side."""
        with self._lock:
            config, loop, _, db = self._opened()

        async def limited(part: Any, free: asyncio.Semaphore) -> T:
            async with free:
                return await work(db, config.table_name, part)

        async def together() -> list[T]:
            free = asyncio.Semaphore(_SIDE_BY_SIDE)
            return await asyncio.gather(*[limited(part, free) for part in parts])

        return asyncio.run_coroutine_threadsafe(together(), loop).result()

    def _opened(self) -> tuple[Settings, asyncio.AbstractEventLoop, threading.Thread, DynamoDB]:
        config = settings()
        if self._open is None or self._open[0] is not config:
            self._close()
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="usage-reader", daemon=True)
            thread.start()
            self._open = config, loop, thread, DynamoDB(config.region, config.dynamodb_endpoint_url)
        return self._open

    def close(self) -> None:
        """Gives the connections back."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            _, loop, thread, db = self._open
            asyncio.run_coroutine_threadsafe(db.aclose(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
            self._open = None


_reader = _Reader()
close = _reader.close
atexit.register(close)
