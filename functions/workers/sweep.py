"""Every minute: ends the calls whose process died (Q-16)."""

import asyncio
from contextlib import aclosing
from typing import Any

from tollgate.aws.dynamodb import DynamoDB
from tollgate.metering.sweeper import Sweeper, Swept
from tollgate.settings import settings
from tollgate.telemetry import Event, count, flush, logger


def handler(event: dict[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001 (Lambda's signature)
    swept = asyncio.run(_sweep())
    if swept.holds:
        logger.warning(Event.SWEPT, extra={"accounts": swept.accounts, "holds": swept.holds})
    count("HoldsSwept", swept.holds)
    flush()
    return {"accounts": swept.accounts, "holds": swept.holds}


async def _sweep() -> Swept:
    config = settings()
    async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
        return await Sweeper(db, config.table_name).sweep()
