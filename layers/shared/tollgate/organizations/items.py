"""How an organization is stored."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, VersionAttribute

from tollgate.table.attributes import IntegerAttribute
from tollgate.table.base import Item


class OrganizationItem(Item):
    """Read on every call, so it stays small: metadata has an item of its own."""

    organization_id = UnicodeAttribute()
    uid = UnicodeAttribute()
    name = UnicodeAttribute()
    status = UnicodeAttribute()
    status_reason = UnicodeAttribute(null=True)
    blocked = BooleanAttribute(default=False)
    deleting = BooleanAttribute(default=False)
    team_count = IntegerAttribute(default=0)
    active_team_count = IntegerAttribute(default=0)
    total_credits_allocated = IntegerAttribute(default=0)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()
