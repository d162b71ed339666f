"""How webhooks and events are stored."""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, UnicodeAttribute

from tollgate.alerts.items import OutboxItem
from tollgate.table.attributes import IntegerAttribute, TextListAttribute
from tollgate.table.base import Item


class WebhookItem(Item):
    """``GSI1`` lists an owner's webhooks, ``GSI2`` all."""

    webhook_id = UnicodeAttribute()
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    team_id = UnicodeAttribute(null=True)
    team_uid = UnicodeAttribute(null=True)
    url = UnicodeAttribute()
    ciphertext = BinaryAttribute(legacy_encoding=False)
    has_auth_header = BooleanAttribute(default=False)
    events = TextListAttribute()
    is_active = BooleanAttribute()
    last_triggered_at = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    # Its owner is gone; ``ttl`` ends it, too.
    ended = BooleanAttribute(default=False)
    ttl = IntegerAttribute(null=True)


class EventItem(OutboxItem):
    """An event and its outbox in one."""

    event_id = UnicodeAttribute()
