"""How a virtual key is stored: never the key, only its hash."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, VersionAttribute

from tollgate.limits.items import LimitsAttribute
from tollgate.table.attributes import TextListAttribute
from tollgate.table.base import Item


class KeyItem(Item):
    """Read on every call by its hash. ``GSI1`` lists a team's keys."""

    key_id = UnicodeAttribute()
    uid = UnicodeAttribute()
    mask = UnicodeAttribute()
    key_alias = UnicodeAttribute(null=True)
    team_id = UnicodeAttribute(null=True)
    team_uid = UnicodeAttribute(null=True)
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    user_id = UnicodeAttribute(null=True)
    user_uid = UnicodeAttribute(null=True)
    # ``active`` or ``revoked``.
    status = UnicodeAttribute()
    blocked = BooleanAttribute(default=False)
    expires_at = UnicodeAttribute(null=True)
    model_access = UnicodeAttribute()
    models = TextListAttribute()
    tags = TextListAttribute()
    limits = LimitsAttribute(null=True)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()
