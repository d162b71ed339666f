"""Invariant 4: rollups equal the calls, however the stream delivers them, whoever dies, whatever the table refuses."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import calls
from tests.support.environment import empty_table
from tests.support.stream import Crashed, SimulatedStream
from tollgate.aws.dynamodb import DynamoDB, TransactionCancelledError
from tollgate.core.errors import StoreUnavailableError
from workers import rollup

MISFORTUNES = ("none", "none", "crash before", "crash after", "no answer", "conflict", "throttled")


@contextmanager
def misfortune(chance: random.Random) -> Iterator[None]:
    """Every transaction may meet a misfortune of the table's, or its process may end beside it."""
    real = DynamoDB.call

    async def call(self: DynamoDB, operation: str, payload: dict[str, Any], **options: bool) -> dict[str, Any]:
        if operation != "TransactWriteItems":
            return await real(self, operation, payload, **options)
        what = chance.choice(MISFORTUNES)
        size = len(payload["TransactItems"])
        if what == "crash before":
            raise Crashed
        if what in {"conflict", "throttled"}:
            reason = "TransactionConflict" if what == "conflict" else "ThrottlingError"
            raise TransactionCancelledError(["None"] * (size - 1) + [reason])
        answer = await real(self, operation, payload, **options)
        if what == "crash after":
            raise Crashed
        if what == "no answer":
            raise StoreUnavailableError("The data store did not answer; try again")
        return answer

    with patch.object(DynamoDB, "call", call), patch("asyncio.sleep", _at_once):
        yield


async def _at_once(_: float) -> None:
    return None


def consumed(event: dict[str, Any]) -> dict[str, Any]:
    try:
        return rollup.handler(event, None)
    except* Crashed:
        pass
    raise Crashed


MISDELIVERED = given(seed=st.integers(0, 2**32), number=st.integers(1, 40), shards=st.integers(1, 3))


@MISDELIVERED
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_rollups_equal_the_calls(seed: int, number: int, shards: int) -> None:
    misdelivered(seed, number, shards)


@pytest.mark.engine
@MISDELIVERED
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_rollups_equal_the_calls_on_the_engine(seed: int, number: int, shards: int) -> None:
    misdelivered(seed, number, shards)


def misdelivered(seed: int, number: int, shards: int) -> None:
    """Random calls, delivered again, halved, in part, in another order, by consumers that die."""
    empty_table()
    chance = random.Random(seed)
    stream = SimulatedStream(chance, shards)
    written: list[calls.Item] = []
    while len(written) < number:
        fresh = calls.put(calls.some(chance, chance.randint(1, 20)))
        written += fresh
        stream.write(fresh)
        if chance.random() < 0.3:
            stream.split()
        with misfortune(chance):
            for shard, batch in stream.batches():
                stream.deliver(shard, batch, consumed)
        if chance.random() < 0.5:
            stream.rewind()
    stream.drain(consumed)
    assert calls.stored_buckets() == calls.expected_buckets(written)


@pytest.mark.engine
def test_consumers_at_the_same_time(table: None) -> None:
    """Four consumers, every one given every call, in an order of its own; the table's conflicts are real ones."""
    chance = random.Random(4)
    written = calls.put(calls.some(chance, 300))

    def everything(seed: int) -> None:
        own = random.Random(seed)
        stream = SimulatedStream(own, 3)
        stream.write(own.sample(written, len(written)))
        stream.drain(consumed, size=80)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(everything, range(4)))
    assert calls.stored_buckets() == calls.expected_buckets(written)


@pytest.mark.engine
@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_two_consumers_that_die(seed: int) -> None:
    empty_table()
    chance = random.Random(seed)
    written = calls.put(calls.some(chance, 80))
    with misfortune(chance), ThreadPoolExecutor(2) as pool:

        def once(own: int) -> SimulatedStream:
            stream = SimulatedStream(random.Random(own), 2)
            stream.write(written)
            for shard, batch in stream.batches(40):
                stream.deliver(shard, batch, consumed)
            return stream

        streams = list(pool.map(once, (seed, seed + 1)))
    for stream in streams:
        stream.drain(consumed, size=40)
    assert calls.stored_buckets() == calls.expected_buckets(written)


def test_a_record_that_nobody_understands_fails_alone(table: None) -> None:
    good = calls.put([calls.record(team_uid="t1"), calls.record(team_uid="t1")])
    bad = calls.put([calls.record(team_uid="t1", started_at="yesterday")])
    stream = SimulatedStream(random.Random(1), 1)
    stream.write([good[0], *bad, good[1]])
    ((_, batch),) = [(None, shard.records) for shard in stream._all]
    assert consumed({"Records": batch}) == {"batchItemFailures": [{"itemIdentifier": f"{2:021d}"}]}
    assert calls.stored_buckets() == calls.expected_buckets(good)


@pytest.mark.engine
def test_a_record_that_the_table_refuses_fails_alone(table: None) -> None:
    """A number too large for DynamoDB fails every transaction that it is in."""
    written = calls.put([calls.record(team_uid="t1") for _ in range(5)])
    poison = dict(written[2], cost_usd={"N": "1E200"})
    stream = SimulatedStream(random.Random(1), 1)
    stream.write([*written[:2], poison, *written[3:]])
    ((_, batch),) = [(None, shard.records) for shard in stream._all]
    assert consumed({"Records": batch}) == {"batchItemFailures": [{"itemIdentifier": f"{3:021d}"}]}
    assert calls.stored_buckets() == calls.expected_buckets([*written[:2], *written[3:]])


def test_a_call_under_many_tags_fits_a_transaction(table: None) -> None:
    tags = [f"tag-{number:03d}" for number in range(300)]
    written = calls.put([calls.record(team_uid="t1", key_id="k", user_id="u", customer_id="c", tags=tags)])
    stream = SimulatedStream(random.Random(1), 1)
    stream.write(written)
    stream.drain(consumed)
    counted = [where for where, _, _ in calls.stored_buckets() if where.startswith("TAG#")]
    assert counted == [f"TAG#{tag}" for tag in tags[:50]]


def test_what_is_no_new_call_is_not_counted(table: None) -> None:
    calls.put([calls.record(team_uid="t1")])
    void = {"PK": {"S": "CALL#v"}, "SK": {"S": "#"}, "kind": {"S": "void"}}
    stream = SimulatedStream(random.Random(1), 1)
    stream.write([void, *calls.put([calls.record(team_uid="t2")])])
    batch = stream._all[0].records
    batch[1] = {**batch[1], "eventName": "MODIFY"}
    assert consumed({"Records": batch}) == {"batchItemFailures": []}
    assert calls.stored_buckets() == {}
