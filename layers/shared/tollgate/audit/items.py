"""How an audit event is stored."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from tollgate.table.attributes import FreeFormAttribute, IntegerAttribute
from tollgate.table.base import Item


class AuditItem(Item):
    """Under its organization (or the platform) by ULID; ``GSI1`` lists them all."""

    audit_id = UnicodeAttribute()
    actor = UnicodeAttribute()
    actor_kind = UnicodeAttribute()
    key_id = UnicodeAttribute(null=True)
    action = UnicodeAttribute()
    resource_type = UnicodeAttribute()
    resource_id = UnicodeAttribute()
    organization_id = UnicodeAttribute(null=True)
    before = FreeFormAttribute()
    after = FreeFormAttribute()
    ip_address = UnicodeAttribute(null=True)
    request_id = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    ttl = IntegerAttribute()
