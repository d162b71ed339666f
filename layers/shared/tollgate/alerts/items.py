"""How rules and alerts are stored, and how alerts see the items of others."""

from __future__ import annotations

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, UnicodeAttribute, VersionAttribute

from tollgate.limits.account_items import AccountSettingsAttributes
from tollgate.limits.items import LimitsAttribute
from tollgate.table.attributes import (
    DecimalAttribute,
    DecimalListAttribute,
    FreeFormAttribute,
    IntegerAttribute,
    TextListAttribute,
)
from tollgate.table.base import Item


class AlertRuleItem(Item):
    """``GSI1`` lists an owner's rules, ``GSI2`` all."""

    rule_id = UnicodeAttribute()
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    team_id = UnicodeAttribute(null=True)
    team_uid = UnicodeAttribute(null=True)
    name = UnicodeAttribute(null=True)
    channel = UnicodeAttribute()
    target = UnicodeAttribute()
    ciphertext = BinaryAttribute(legacy_encoding=False, null=True)
    events = TextListAttribute()
    thresholds = DecimalListAttribute()
    thresholds_left = DecimalListAttribute()
    error_rate_percent = DecimalAttribute()
    error_rate_min_calls = IntegerAttribute()
    is_active = BooleanAttribute()
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()


class OutboxItem(Item):
    """Whatever is sent to receivers; ``DUE`` has it while something is still to send."""

    event = UnicodeAttribute()
    message = FreeFormAttribute()
    # By receiver: channel, state, error, at.
    deliveries = FreeFormAttribute()
    attempts = IntegerAttribute()
    created_at = UnicodeAttribute()
    ttl = IntegerAttribute()


class AlertItem(OutboxItem):
    """An alert and its outbox in one. ``GSI1`` lists an organization's, ``GSI2`` all."""

    alert_id = UnicodeAttribute()
    organization_uid = UnicodeAttribute(null=True)
    team_uid = UnicodeAttribute(null=True)


class WatchedItem(AccountSettingsAttributes, Item):
    """Whatever has limits or credits, as alerts see it: read only, and only what they need of it."""

    uid = UnicodeAttribute()
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    team_id = UnicodeAttribute(null=True)
    team_alias = UnicodeAttribute(null=True)
    key_alias = UnicodeAttribute(null=True)
    email = UnicodeAttribute(null=True)
    account_items = IntegerAttribute(null=True)
    limits = LimitsAttribute(null=True)
    # A team's part of its organization's budget, and what the organization has given to teams.
    allocated_budget = DecimalAttribute(null=True)
    allocated_total = DecimalAttribute(null=True)
    # Of a team: what limits its members who have no limits of their own.
    member_budget_id = UnicodeAttribute(null=True)


class CallItem(Item):
    """A call's record as the error rate sees it: read only."""

    outcome = UnicodeAttribute()
    started_at = UnicodeAttribute()
