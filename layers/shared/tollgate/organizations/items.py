"""How an organization is stored."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pynamodb.attributes import Attribute, BooleanAttribute, UnicodeAttribute, VersionAttribute
from pynamodb.constants import MAP

from tollgate.limits.account_items import AccountSettingsAttributes
from tollgate.limits.items import LimitsAttribute
from tollgate.table.attributes import DecimalAttribute, FreeFormAttribute, IntegerAttribute, TextListAttribute
from tollgate.table.base import Item


class AmountsAttribute(Attribute[dict[str, Decimal]]):
    """USD by name, exact."""

    attr_type = MAP

    def serialize(self, value: dict[str, Decimal]) -> dict[str, Any]:
        return {name: {"N": format(amount, "f")} for name, amount in value.items()}

    def deserialize(self, value: dict[str, Any]) -> dict[str, Decimal]:
        return {name: Decimal(amount["N"]) for name, amount in value.items()}


class OrganizationItem(AccountSettingsAttributes, Item):
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
    total_credits_allocated = DecimalAttribute(default=Decimal)
    # It has an account, so its keys without a team are charged.
    has_account = BooleanAttribute(default=False)
    limits = LimitsAttribute(null=True)
    tags = TextListAttribute()
    # ``all`` or ``listed``.
    model_access = UnicodeAttribute(default="all")
    models = TextListAttribute()
    # What models are called by in it, by the name that its calls use.
    model_aliases = FreeFormAttribute(null=True)
    # Of the sibling item that has it.
    object_permission_id = UnicodeAttribute(null=True)
    # Over how many counter items calls are spread, and how many there are (decision 18).
    account_shards = IntegerAttribute(default=1)
    account_items = IntegerAttribute(default=1)
    # ``none`` or ``next``: what becomes of what a window leaves of the budget.
    rollover = UnicodeAttribute(default="none")
    # Sum of the teams' shares of the budget, and by window what shares that are gone have spent in it.
    allocated_total = DecimalAttribute(default=Decimal)
    spent_shares = AmountsAttribute(null=True)
    # So that its last owner stays.
    owner_count = IntegerAttribute(default=0)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()
