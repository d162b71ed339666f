"""Every hour: closes the days that are over, so that organizations and the platform are read as sums."""

import asyncio
import time
from contextlib import aclosing
from typing import Any

from tollgate.aws.dynamodb import DynamoDB
from tollgate.settings import settings
from tollgate.telemetry import Event, flush, logger
from tollgate.usage.closing import Closed, Closer


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 (Lambda's signature)
    closed = asyncio.run(_close())
    if closed.days:
        logger.info(Event.DAYS_CLOSED, extra={"days": closed.days, "sums": closed.sums})
    flush()
    return {"days": list(closed.days), "sums": closed.sums}


async def _close() -> Closed:
    config = settings()
    async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
        return await Closer(db, config.table_name).close(time.time())
