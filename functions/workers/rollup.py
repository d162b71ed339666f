"""The table's stream: counts every new call, and every job twice, into usage buckets, exactly once (decision 17)."""

import asyncio
from contextlib import aclosing
from functools import cache
from typing import Any

from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings
from tollgate.telemetry import Event, count, flush, logger
from tollgate.usage.figures import NOTHING, Figures, Image, text
from tollgate.usage.names import Names
from tollgate.usage.rollup import JOB_KIND, Rollup

CALL_KIND = "call"
# A job changes: whichever image shows it at its end tells of that.
_COUNTED = {("INSERT", CALL_KIND), ("INSERT", JOB_KIND), ("MODIFY", JOB_KIND)}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 (Lambda's signature)
    records = [
        (record["dynamodb"]["SequenceNumber"], record["dynamodb"]["NewImage"])
        for record in event["Records"]
        if (record["eventName"], text(record["dynamodb"].get("NewImage", {}), "kind")) in _COUNTED
    ]
    failed, written = asyncio.run(_count(records)) if records else (set(), NOTHING)
    if failed:
        logger.error(Event.UNCOUNTED, extra={"calls": len(records), "failed": len(failed)})
    count("CallsCounted", float(written.calls))
    count("JobsCounted", float(written.jobs))
    # What providers have to be paid for, and nobody is charged.
    count("UnbilledUsd", float(written.unbilled_usd))
    flush()
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(failed)]}


async def _count(records: list[tuple[str, Image]]) -> tuple[set[str], Figures]:
    config = settings()
    async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
        rollup = Rollup(db, config.table_name, _names())
        return await rollup.count(records), rollup.written


@cache
def _names() -> Names:
    return Names(settings().table_name)
