"""Rebuilding usage from the calls: changes nothing that is right, repairs what is not, and disturbs no consumer."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from datetime import date
from typing import Any
from unittest.mock import patch

import pytest

from tests.support import build, calls
from tests.support.environment import TABLE, engine
from tests.support.items import raw_items
from tests.support.stream import Crashed, insert
from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings
from tollgate.usage import __main__ as command
from tollgate.usage.names import Names
from tollgate.usage.rebuild import Rebuild, Rebuilt
from workers import rollup

DAY = "2026-03-01"


def rebuilt(owner: str, *, meanwhile: Any = None) -> Rebuilt:
    async def run() -> Rebuilt:
        config = settings()
        async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
            work = Rebuild(db, TABLE, Names(TABLE), 1.8e9, settle_seconds=0)
            real = work._days.touch

            async def touched(day: str, now: float) -> None:
                """The moment between the reading of buckets and that of the calls they are held against."""
                await real(day, now)
                if meanwhile:
                    await asyncio.to_thread(meanwhile)

            with patch.object(work._days, "touch", touched):
                return await work.day(owner, DAY)

    return asyncio.run(run())


def everybody() -> list[Rebuilt]:
    return [rebuilt(owner) for owner in ("t1", "t2", "platform")]


def usage() -> list[Any]:
    return sorted(
        (item for item in raw_items() if item["kind"]["S"] != "call"),
        key=lambda item: (item["PK"]["S"], item["SK"]["S"]),
    )


def change(pk: str, sk: str, attribute: str, value: str) -> None:
    engine.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"PK": {"S": pk}, "SK": {"S": sk}},
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": attribute},
        ExpressionAttributeValues={":value": {"N": value}},
    )


def test_where_nothing_is_wrong_nothing_is_written(table: None) -> None:
    calls.counted(calls.some(random.Random(1), 15, days=1))
    before = usage()
    assert everybody() == [Rebuilt()] * 3
    assert usage() == before


def test_calls_that_the_stream_lost_are_counted(table: None) -> None:
    written = calls.some(random.Random(2), 16, days=1)
    calls.counted(written[:6])
    calls.put(written[6:])
    assert sum(done.counted for done in everybody()) == 10
    assert calls.stored_buckets() == calls.expected_buckets(written)
    # The stream delivers them after all.
    records = [insert(item, number) for number, item in enumerate(written)]
    assert rollup.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert calls.stored_buckets() == calls.expected_buckets(written)


def test_broken_buckets_are_repaired(table: None) -> None:
    written = calls.counted(calls.some(random.Random(3), 20, days=1))
    buckets = [item for item in raw_items() if item["kind"]["S"] == "usage" and item["owner_uid"]["S"] == "t1"]
    wrong, lost, *_ = sorted(buckets, key=lambda item: item["PK"]["S"])
    change(wrong["PK"]["S"], wrong["SK"]["S"], "us", "1000")
    engine.client("dynamodb").delete_item(TableName=TABLE, Key={name: lost[name] for name in ("PK", "SK")})
    phantom = {name: value for name, value in buckets[0].items() if not name.startswith("GSI")}
    phantom |= {"PK": {"S": "USAGE#OWNER#t1"}, "SK": {"S": f"D#{DAY}#t1#nothing"}, "model": {"S": "nothing"}}
    engine.client("dynamodb").put_item(TableName=TABLE, Item=phantom)
    assert rebuilt("t1") == Rebuilt(repaired=3)
    stored = {bucket: figures for bucket, figures in calls.stored_buckets().items() if figures}
    assert stored == calls.expected_buckets(written)
    assert rebuilt("t1") == Rebuilt()


def test_a_call_that_is_counted_meanwhile_is_not_lost(table: None) -> None:
    written = calls.counted([calls.record(team_uid="t1", key_id="k1") for _ in range(3)])
    bucket = next(item for item in raw_items() if item["PK"]["S"] == "USAGE#KEY#k1")
    change(bucket["PK"]["S"], bucket["SK"]["S"], "ti", "7")
    late: list[calls.Item] = [calls.record(team_uid="t1", key_id="k1")]

    def consume() -> None:
        if late:
            written.extend(calls.counted([late.pop()]))

    done = rebuilt("t1", meanwhile=consume)
    assert (done.repaired, done.busy) == (1, 0)
    assert calls.stored_buckets() == calls.expected_buckets(written)


def test_an_interrupted_rebuild_goes_on(table: None) -> None:
    written = calls.put(calls.some(random.Random(5), 5, days=1))
    real, left = DynamoDB.call, 0

    async def call(self: DynamoDB, operation: str, payload: dict[str, Any], **options: bool) -> dict[str, Any]:
        nonlocal left
        left -= operation == "TransactWriteItems"
        if left < 0:
            raise Crashed
        return await real(self, operation, payload, **options)

    crashes = 0
    for _ in range(20):
        left = 1
        try:
            with patch.object(DynamoDB, "call", call):
                everybody()
        except* Crashed:
            crashes += 1
    assert crashes
    assert everybody() == [Rebuilt()] * 3
    assert calls.stored_buckets() == calls.expected_buckets(written)


def test_the_command_finds_every_owner(
    table: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build.organization()
    build.team()
    uid = next(item["uid"]["S"] for item in raw_items() if item["kind"]["S"] == "team")
    organization_uid = next(item["uid"]["S"] for item in raw_items() if item["kind"]["S"] == "organization")
    written = calls.put(
        [calls.record(team_uid=uid), calls.record(organization_uid=organization_uid), calls.record(), calls.record()]
    )
    calls.counted([gone := calls.record(team_uid="gone")])
    monkeypatch.setenv("DYNAMODB_ENDPOINT_URL", engine.endpoint_url)
    monkeypatch.setattr("sys.argv", ["usage", DAY, DAY])
    assert command.main() == 0
    assert sorted(
        line.partition(":")[0] for line in capsys.readouterr().out.splitlines() if line.startswith(DAY)
    ) == sorted(f"{DAY} {owner}" for owner in (uid, organization_uid, "platform"))
    assert calls.stored_buckets() == calls.expected_buckets([*written, gone])
    assert list(command._days(date(2026, 2, 28), date(2026, 3, 1))) == ["2026-02-28", "2026-03-01"]
