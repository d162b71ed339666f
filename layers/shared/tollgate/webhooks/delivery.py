"""Events go the way of alerts: the same outbox, signature, retries and limits of where they may go."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

from tollgate.alerts.channels import Parcel
from tollgate.alerts.delivery import ALERTS, Outboxes
from tollgate.alerts.model import Channel
from tollgate.core.json import dumps
from tollgate.table import keys
from tollgate.webhooks import repository
from tollgate.webhooks.model import Event, EventName
from tollgate.webhooks.service import opened

# "Gone": the receiver says that it will never take any more.
_GONE = "answered 410"


class EventOutbox:
    """Events, which webhooks receive."""

    def find(self, place: str) -> Event | None:
        return repository.find_event(place)

    def parcel(self, letter: Event, receiver_id: str) -> Parcel | None:
        webhook, message = repository.find(receiver_id), letter.message
        if webhook is None or not webhook.is_active:
            return None
        if webhook.ended and message.event is not EventName.TEAM_DELETED:
            return None
        secret, header = opened(webhook)
        headers = {"X-Tollgate-Event-Id": message.event_id, "X-Tollgate-Event": message.event.value}
        return Parcel(
            channel=Channel.WEBHOOK,
            target=webhook.url,
            title=message.event.value,
            text="",
            body=dumps(message.model_dump(mode="json")),
            headers=headers | ({"Authorization": header} if header is not None else {}),
            secret=secret,
        )

    def report(self, receiver_id: str, error: str | None, at: datetime) -> None:
        """Notes what arrived; a receiver that is gone for good gets nothing more."""
        if error is None:
            repository.triggered(receiver_id, at)
        elif error == _GONE:
            repository.switch_off(receiver_id)


OUTBOXES: Outboxes = MappingProxyType({**ALERTS, keys.event(""): EventOutbox()})
