"""Webhooks and events in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tollgate.alerts import outbox
from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.pagination import Page, PageRequest
from tollgate.table import keys
from tollgate.table.base import GSI1, GSI2
from tollgate.table.transactions import Work
from tollgate.webhooks.items import EventItem, WebhookItem
from tollgate.webhooks.model import RETENTION_DAYS, Event, EventMessage, EventName, Webhook

# How long a webhook stays after its owner, so that it can hear of that.
_LAST_WORD = timedelta(days=1)


def find(webhook_id: str) -> Webhook | None:
    item = WebhookItem.find(keys.webhook(webhook_id), keys.ENTITY)
    return _webhook(item) if item else None


def search(request: PageRequest, owner_uid: str | None) -> Page[Webhook]:
    """A page of an owner's webhooks, or with None of all; newest first."""
    page = WebhookItem.page(
        keys.WEBHOOKS if owner_uid is None else keys.webhooks_of(owner_uid),
        request,
        scope="webhooks",
        index=GSI2 if owner_uid is None else GSI1,
        newest_first=True,
        matches=lambda item: not item.ended,
    )
    return Page([_webhook(item) for item in page.entries], page.next_cursor)


def all_of(owner_uid: str) -> list[Webhook]:
    """Every webhook of an owner, also of one that is gone."""
    return [_webhook(item) for item in WebhookItem.all_of(keys.webhooks_of(owner_uid), index=GSI1)]


def create(webhook: Webhook, event: AuditEvent) -> None:
    created_at = clock.to_stored(webhook.created_at)
    position = keys.by_creation(created_at, webhook.webhook_id)
    work = Work()
    work.create(
        WebhookItem(
            PK=keys.webhook(webhook.webhook_id),
            SK=keys.ENTITY,
            GSI1PK=keys.webhooks_of(webhook.owner_uid),
            GSI1SK=position,
            GSI2PK=keys.WEBHOOKS,
            GSI2SK=position,
            kind="webhook",
            webhook_id=webhook.webhook_id,
            organization_id=webhook.organization_id,
            organization_uid=webhook.organization_uid,
            team_id=webhook.team_id,
            team_uid=webhook.team_uid,
            url=webhook.url,
            ciphertext=webhook.ciphertext,
            has_auth_header=webhook.has_auth_header,
            events=[name.value for name in webhook.events],
            is_active=webhook.is_active,
            created_at=created_at,
            created_by=event.caller.actor,
        )
    )
    audit.append(work, event)
    work.commit()


def delete(webhook: Webhook, event: AuditEvent) -> None:
    """Removes it with its secrets; loses the race if it is gone."""
    work = Work()
    work.delete(_place(webhook.webhook_id), WebhookItem.PK.exists())
    audit.append(work, event)
    work.commit()


def end(webhook: Webhook, event: AuditEvent) -> None:
    """Its owner is gone: nobody sees it any more, and in a day it is gone, too."""
    item = _place(webhook.webhook_id)
    work = Work()
    changes = {"ended": True, "ttl": int((event.at + _LAST_WORD).timestamp())}
    work.update(item, item.changes(changes), WebhookItem.PK.exists())
    audit.append(work, event)
    work.commit()


def triggered(webhook_id: str, at: datetime) -> None:
    """An event has arrived there."""
    _note(webhook_id, {"last_triggered_at": clock.to_stored(at)})


def switch_off(webhook_id: str) -> None:
    """Its receiver wants no more."""
    _note(webhook_id, {"is_active": False})


def raise_once(event: Event) -> bool:
    """Puts an event into the outbox unless it is there: its id says what happened. False: it was there."""
    message = event.message
    return outbox.put_once(
        EventItem(
            PK=keys.event(message.event_id),
            SK=keys.ENTITY,
            kind="event",
            event_id=message.event_id,
            event=message.event.value,
            message=message.model_dump(mode="json"),
            deliveries=outbox.stored(event.deliveries),
            attempts=event.attempts,
            created_at=clock.to_stored(message.timestamp),
            ttl=int((message.timestamp + timedelta(days=RETENTION_DAYS)).timestamp()),
            **outbox.due_keys(event.deliveries, event.due_at),
        )
    )


def find_event(place: str) -> Event | None:
    """The event whose partition key this is."""
    item = EventItem.find(place, keys.ENTITY)
    if item is None:
        return None
    return Event(
        message=EventMessage.model_validate(item.message),
        deliveries=outbox.loaded(item.deliveries),
        attempts=item.attempts,
        due_at=clock.from_stored(item.DUESK) if item.DUESK else None,
    )


def _note(webhook_id: str, changes: dict[str, Any]) -> None:
    """Changes a webhook if it is there still."""
    _place(webhook_id).note(changes, WebhookItem.PK.exists())


def _place(webhook_id: str) -> WebhookItem:
    return WebhookItem(PK=keys.webhook(webhook_id), SK=keys.ENTITY)


def _webhook(item: WebhookItem) -> Webhook:
    return Webhook(
        webhook_id=item.webhook_id,
        organization_id=item.organization_id,
        organization_uid=item.organization_uid,
        team_id=item.team_id,
        team_uid=item.team_uid,
        url=item.url,
        ciphertext=item.ciphertext,
        has_auth_header=item.has_auth_header,
        events=tuple(EventName(name) for name in item.events),
        is_active=item.is_active,
        created_at=clock.from_stored(item.created_at),
        last_triggered_at=clock.from_stored(item.last_triggered_at) if item.last_triggered_at else None,
        ended=item.ended,
    )
