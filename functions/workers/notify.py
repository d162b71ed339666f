"""The table's stream: raises alerts and events, and makes first attempts at those that are new (Q-39, contract 1.8)."""

from typing import Any

from tollgate.alerts.delivery import deliverer
from tollgate.alerts.watcher import watcher
from tollgate.telemetry import Event, count, flush, logger
from tollgate.webhooks.delivery import OUTBOXES
from tollgate.webhooks.watcher import event_watcher


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 (Lambda's signature)
    alerts, events = watcher().see(event["Records"]), event_watcher().see(event["Records"])
    inserted = [*alerts.inserted, *events.inserted]
    delivered = deliverer().deliver_new(inserted, OUTBOXES)
    if alerts.raised or events.raised or inserted:
        count("AlertsRaised", alerts.raised)
        count("EventsRaised", events.raised)
        count("AlertsDelivered", delivered.delivered)
        flush()
    failures = []
    for seen in (alerts, events):
        if seen.failed is not None:
            logger.error(Event.UNEXPECTED, exc_info=seen.error, extra={"record": seen.failed})
            failures.append({"itemIdentifier": seen.failed})
    return {"batchItemFailures": failures}
