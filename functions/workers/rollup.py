"""The table's stream: counts every new call into its usage buckets, exactly once (decision 17)."""

import asyncio
from contextlib import aclosing
from functools import cache
from typing import Any

from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings
from tollgate.telemetry import Event, count, flush, logger
from tollgate.usage.figures import Image, text
from tollgate.usage.names import Names
from tollgate.usage.rollup import Rollup

CALL_KIND = "call"


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 (Lambda's signature)
    calls = [
        (record["dynamodb"]["SequenceNumber"], record["dynamodb"]["NewImage"])
        for record in event["Records"]
        if record["eventName"] == "INSERT" and text(record["dynamodb"]["NewImage"], "kind") == CALL_KIND
    ]
    failed = asyncio.run(_count(calls)) if calls else set()
    if failed:
        logger.error(Event.UNCOUNTED, extra={"calls": len(calls), "failed": len(failed)})
    count("CallsCounted", len(calls) - len(failed))
    flush()
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(failed)]}


async def _count(calls: list[tuple[str, Image]]) -> set[str]:
    config = settings()
    async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
        return await Rollup(db, config.table_name, _names()).count(calls)


@cache
def _names() -> Names:
    return Names(settings().table_name)
