"""The table's stream: raises alerts from counters and calls, and first attempts at those that are new (Q-39)."""

from typing import Any

from tollgate.alerts.delivery import deliverer
from tollgate.alerts.watcher import watcher
from tollgate.telemetry import Event, count, flush, logger


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 (Lambda's signature)
    seen = watcher().see(event["Records"])
    delivered = deliverer().deliver_new(seen.inserted)
    if seen.raised or seen.inserted:
        count("AlertsRaised", seen.raised)
        count("AlertsDelivered", delivered.delivered)
        flush()
    if seen.failed is None:
        return {"batchItemFailures": []}
    logger.error(Event.UNEXPECTED, exc_info=seen.error, extra={"record": seen.failed})
    return {"batchItemFailures": [{"itemIdentifier": seen.failed}]}
