"""Every minute: sends the alerts and events whose next attempt is due, and gives up those that never arrived."""

from typing import Any

from tollgate.alerts.delivery import deliverer
from tollgate.telemetry import count, flush
from tollgate.webhooks.delivery import OUTBOXES


def handler(event: dict[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001 (Lambda's signature)
    done = deliverer().deliver_due(OUTBOXES)
    count("AlertsDelivered", done.delivered)
    count("AlertsGivenUp", done.given_up)
    flush()
    return {"delivered": done.delivered, "given_up": done.given_up}
