"""How a deletion is stored."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from tollgate.table.attributes import IntegerAttribute
from tollgate.table.base import Item


class DeletionItem(Item):
    """``GSI1`` lists deleted organizations or teams, ``GSI2`` an organization's teams, ``DUE`` what is not done."""

    uid = UnicodeAttribute()
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    team_id = UnicodeAttribute(null=True)
    name = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    progress = UnicodeAttribute()
    created_at = UnicodeAttribute()
    deleted_at = UnicodeAttribute()
    purge = BooleanAttribute(default=False)
    purged_through = UnicodeAttribute(null=True)
    account_items = IntegerAttribute(default=1)
    teams_deleted = IntegerAttribute(default=0)
    keys_deleted = IntegerAttribute(default=0)
    token = UnicodeAttribute(null=True)
    # Who deleted it.
    actor = UnicodeAttribute()
    actor_kind = UnicodeAttribute()
    key_id = UnicodeAttribute(null=True)
    ip_address = UnicodeAttribute(null=True)
    request_id = UnicodeAttribute(null=True)
