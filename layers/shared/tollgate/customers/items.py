"""How a customer is stored."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, VersionAttribute

from tollgate.limits.items import LimitsAttribute
from tollgate.table.attributes import TextListAttribute
from tollgate.table.base import Item


class CustomerItem(Item):
    """Read on every call that names him. ``GSI1`` lists all, ``GSI2`` those who are blocked."""

    customer_id = UnicodeAttribute()
    uid = UnicodeAttribute()
    alias = UnicodeAttribute(null=True)
    blocked = BooleanAttribute(default=False)
    # ``all`` or ``listed``.
    model_access = UnicodeAttribute(default="all")
    models = TextListAttribute()
    # What a call that names no model asks for.
    default_model = UnicodeAttribute(null=True)
    # The only one whose targets serve him.
    allowed_model_region = UnicodeAttribute(null=True)
    # Of the sibling item that has it.
    object_permission_id = UnicodeAttribute(null=True)
    limits = LimitsAttribute(null=True)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()
