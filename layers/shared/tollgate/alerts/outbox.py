"""The outbox: items with deliveries to make, of whatever kind. An attempt is taken by one process before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pynamodb.exceptions import PutError

from tollgate.alerts.items import OutboxItem
from tollgate.alerts.model import Channel, Delivery, DeliveryState
from tollgate.core import clock
from tollgate.table import keys
from tollgate.table.base import CONDITION_FAILED

_CONDITION_FAILED = "ConditionalCheckFailedException"


def put_once(item: OutboxItem) -> bool:
    """Puts something into the outbox unless it is there: its key says what it is about. False: it was there."""
    try:
        item.save(OutboxItem.PK.does_not_exist())
    except PutError as error:
        if error.cause_response_code == CONDITION_FAILED:
            return False
        raise
    return True


def due(now: datetime, limit: int) -> list[str]:
    """Partition keys of what is to be sent by now, the oldest first, by an eventually consistent index."""
    found = OutboxItem.due.query(keys.DELIVERIES, clock.to_stored(now) >= OutboxItem.DUESK, limit=limit)
    return [item.PK for item in found]


def claim(place: str, attempts: int, due_at: datetime) -> bool:
    """Takes the attempt after ``attempts``, and puts off the next one to ``due_at``; False if another has taken it."""
    changes = {"attempts": attempts + 1, "DUESK": clock.to_stored(due_at)}
    return _change(place, attempts, changes, OutboxItem.DUEPK.exists())


def finish(place: str, attempts: int, deliveries: Mapping[str, Delivery]) -> bool:
    """Writes how the claimed attempt ended; what has no pending deliveries leaves the outbox."""
    changes: dict[str, Any] = {"deliveries": stored(deliveries)}
    if not pending(deliveries):
        changes |= {"DUEPK": None, "DUESK": None}
    return _change(place, attempts, changes)


def pending(deliveries: Mapping[str, Delivery]) -> list[str]:
    """The receivers that are still to be tried."""
    return [receiver_id for receiver_id, own in deliveries.items() if own.state is DeliveryState.PENDING]


def due_keys(deliveries: Mapping[str, Delivery], due_at: datetime | None) -> dict[str, Any]:
    """Index keys of a new item; none if nothing is to be sent."""
    if due_at is None or not pending(deliveries):
        return {}
    return {"DUEPK": keys.DELIVERIES, "DUESK": clock.to_stored(due_at)}


def stored(deliveries: Mapping[str, Delivery]) -> dict[str, Any]:
    return {
        receiver_id: {
            "channel": own.channel.value,
            "state": own.state.value,
            "error": own.error,
            "at": clock.to_stored(own.at) if own.at else None,
        }
        for receiver_id, own in deliveries.items()
    }


def loaded(deliveries: Mapping[str, Any]) -> dict[str, Delivery]:
    """The inverse of :func:`stored`."""
    return {
        receiver_id: Delivery(
            channel=Channel(own["channel"]),
            state=DeliveryState(own["state"]),
            error=own["error"],
            at=clock.from_stored(own["at"]) if own["at"] else None,
        )
        for receiver_id, own in deliveries.items()
    }


def _change(place: str, attempts: int, changes: dict[str, Any], condition: Any = None) -> bool:
    same = OutboxItem.attempts == attempts
    return OutboxItem(PK=place, SK=keys.ENTITY).note(changes, same if condition is None else same & condition)
