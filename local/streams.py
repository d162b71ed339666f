"""Functions that consume the table's stream, as Lambda's event source mappings run them."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local.functions import run_function
from local.patterns import matches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.engine import Engine
    from local.template import Function, StreamSource

_LONGEST_PAUSE = 10.0  # seconds between two deliveries of a batch
_log = logging.getLogger("local")

Record = dict[str, Any]


class StreamConsumer:
    """One event source mapping: polls the stream's shards and hands batches to the function.

    A batch that fails is delivered again: from the first failed record where the function reports
    it, halved where the template says so, and given up after the retries the template allows.
    """

    def __init__(
        self,
        source: StreamSource,
        function: Function,
        engine: Engine,
        table_name: str,
        poll_seconds: float = 0.5,
    ) -> None:
        self._source = source
        self._function = function
        self._table_name = table_name
        self._poll_seconds = poll_seconds
        self._client = engine.client("dynamodbstreams")
        self._tables = engine.client("dynamodb")
        self._iterators: dict[str, str] = {}
        self._delivered: dict[str, str] = {}
        self._closed: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=source.name, daemon=True)

    def start(self) -> None:
        """Poll in the background."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Finish the invocation under way, waiting at most `timeout` seconds for it."""
        self._stop.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                while not self._stop.is_set() and self.poll():
                    pass
            except Exception:  # noqa: BLE001 - logged; read on from what was delivered
                _log.exception("%s: polling failed", self._source.name)
                self._iterators.clear()

    def poll(self) -> int:
        """Read every open shard once and deliver what matches; returns the records read."""
        # The table's own answer: list_streams also names those of deleted tables of this name.
        arn = self._tables.describe_table(TableName=self._table_name)["Table"]["LatestStreamArn"]
        shards = self._client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        return sum(self._read(arn, shard["ShardId"]) for shard in self.readable(shards))

    def readable(self, shards: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Shards not yet read to their end; a child waits for its parent."""
        listed = {shard["ShardId"] for shard in shards}
        waiting = listed - self._closed
        return [shard for shard in shards if shard["ShardId"] in waiting and shard.get("ParentShardId") not in waiting]

    def _read(self, arn: str, shard_id: str) -> int:
        iterator = self._iterators.pop(shard_id, None) or self._new_iterator(arn, shard_id)
        answer = self._client.get_records(ShardIterator=iterator, Limit=self._source.batch_size)
        records = [_event_record(one, arn) for one in answer["Records"]]
        if not self._deliver([one for one in records if self._wanted(one)]):
            return 0  # stopped half-way: the batch comes again with the next start
        if records:
            self._delivered[shard_id] = records[-1]["dynamodb"]["SequenceNumber"]
        if answer.get("NextShardIterator"):
            self._iterators[shard_id] = answer["NextShardIterator"]
        else:
            self._closed.add(shard_id)
        return len(records)

    def _new_iterator(self, arn: str, shard_id: str) -> str:
        where = {"ShardIteratorType": self._source.starting_position}
        if shard_id in self._delivered:
            where = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": self._delivered[shard_id],
            }
        answer = self._client.get_shard_iterator(StreamArn=arn, ShardId=shard_id, **where)
        return str(answer["ShardIterator"])

    def _wanted(self, record: Record) -> bool:
        patterns = self._source.patterns
        return not patterns or any(matches(pattern, record) for pattern in patterns)

    def _deliver(self, records: list[Record]) -> bool:
        """Deliver in order until done or given up; False if stopped before."""
        queue = deque([(records, 0)] if records else [])
        while queue:
            batch, attempt = queue.popleft()
            rest = self._invoke(batch)
            if not rest:
                continue
            if self._stop.is_set():
                return False
            if self._source.bisect and len(rest) == len(batch) > 1:
                middle = len(batch) // 2
                queue.extendleft([(batch[middle:], attempt), (batch[:middle], attempt)])
            elif len(rest) < len(batch):
                queue.appendleft((rest, 0))
            elif 0 <= self._source.retries <= attempt:
                _log.error("%s: gave up %d records", self._source.name, len(rest))
            else:
                self._pause(attempt)
                queue.appendleft((rest, attempt + 1))
        return True

    def _pause(self, attempt: int) -> None:
        self._stop.wait(min(self._poll_seconds * 2**attempt, _LONGEST_PAUSE))

    def _invoke(self, batch: list[Record]) -> list[Record]:
        """The records still to be processed: from the first failed one on."""
        try:
            answer = run_function(self._function, {"Records": batch})
        except Exception:  # noqa: BLE001 - logged by run_function; the whole batch failed
            return batch
        failures = (answer or {}).get("batchItemFailures") if self._source.report_failures else None
        if not failures:
            return []
        failed = {failure.get("itemIdentifier") for failure in failures}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        # An identifier that is not in the batch means, as on Lambda, that all of it failed.
        first = min((numbers.index(one) if one in numbers else 0) for one in failed)
        return batch[first:]


def _event_record(record: Record, arn: str) -> Record:
    """A record of the streams API as Lambda passes it on."""
    event: Record = json.loads(json.dumps(record, default=_plain))
    return {**event, "eventSourceARN": arn}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    message = f"{type(value).__name__} in a stream record"
    raise TypeError(message)
