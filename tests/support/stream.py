"""A stream as DynamoDB and Lambda may deliver it, at its worst: what neither local engine can show.

Records are in shards by their partition key; a shard splits, its children wait for it; batches come again, halved, out of
order between shards, in part; a consumer dies in the middle of a batch; two work at the same time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Item = dict[str, dict[str, Any]]
Record = dict[str, Any]
Consumer = Callable[[dict[str, Any]], dict[str, Any]]


class Crashed(Exception):  # noqa: N818 (that is what happened)
    """The consumer's process ended in the middle of a batch."""


def insert(item: Item, number: int, event_name: str = "INSERT") -> Record:
    """A stream record of an item as it is now, as Lambda passes it on; ``MODIFY`` if it was there before."""
    return {
        "eventID": f"{number:032x}",
        "eventName": event_name,
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "Keys": {"PK": item["PK"], "SK": item["SK"]},
            "NewImage": item,
            "SequenceNumber": f"{number:021d}",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


@dataclass
class Shard:
    """Records in their order; ``done`` of them are never delivered again unless somebody rewinds."""

    records: list[Record] = field(default_factory=list)
    done: int = 0
    children: list[Shard] = field(default_factory=list)


class SimulatedStream:
    """One event source mapping with its shards; ``chance`` decides every misfortune."""

    def __init__(self, chance: random.Random, shards: int = 2) -> None:
        self._chance = chance
        self._open = [Shard() for _ in range(shards)]
        self._all = list(self._open)
        self._written = 0

    def write(self, items: list[Item], event_name: str = "INSERT") -> None:
        """Items appear in the stream, each in any of the shards: so even two images of one come in any order."""
        for item in items:
            self._written += 1
            shard = self._open[self._chance.randrange(len(self._open))]
            shard.records.append(insert(item, self._written, event_name))

    def split(self) -> None:
        """A shard ends; two children take over, and are read when their parent has been."""
        parent = self._open.pop(self._chance.randrange(len(self._open)))
        parent.children = [Shard(), Shard()]
        self._open += parent.children
        self._all += parent.children

    def rewind(self) -> None:
        """A checkpoint is lost: a shard is delivered again from somewhere before."""
        shard = self._chance.choice(self._all)
        shard.done = self._chance.randint(0, shard.done)

    def batches(self, size: int = 10) -> list[tuple[Shard, list[Record]]]:
        """What may be delivered now, one batch for each readable shard, in any order."""
        waiting = {id(child) for shard in self._all if shard.done < len(shard.records) for child in shard.children}
        ready = [shard for shard in self._all if id(shard) not in waiting and shard.done < len(shard.records)]
        self._chance.shuffle(ready)
        return [(shard, shard.records[shard.done : shard.done + self._chance.randint(1, size)]) for shard in ready]

    def deliver(self, shard: Shard, batch: list[Record], consumer: Consumer) -> None:
        """One invocation, and what the mapping makes of its answer: checkpoint, retry from a record, or bisect."""
        try:
            answer = consumer({"Records": batch})
        except Crashed:
            if len(batch) > 1:
                middle = len(batch) // 2
                self.deliver(shard, batch[:middle], consumer)
                self.deliver(shard, batch[middle:], consumer)
            return
        failed = {entry["itemIdentifier"] for entry in answer["batchItemFailures"]}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        first = min((numbers.index(number) for number in failed), default=len(batch))
        start = shard.records.index(batch[0])
        # A half that was retried before the other leaves a gap: the checkpoint is the first record not done.
        if start <= shard.done:
            shard.done = max(shard.done, start + first)

    def drain(self, consumer: Consumer, size: int = 10) -> None:
        """Delivers until nothing is left; the consumer must succeed in the end."""
        while batches := self.batches(size):
            for shard, batch in batches:
                self.deliver(shard, batch, consumer)
