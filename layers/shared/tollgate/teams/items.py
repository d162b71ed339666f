"""How a team is stored."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, ListAttribute, UnicodeAttribute, VersionAttribute

from tollgate.limits.account_items import AccountSettingsAttributes
from tollgate.limits.items import LimitsAttribute
from tollgate.table.attributes import DecimalAttribute, FreeFormAttribute, IntegerAttribute, TextListAttribute
from tollgate.table.base import Item


class TeamItem(AccountSettingsAttributes, Item):
    """Read on every call, so it stays small. ``GSI1`` lists an organization's teams, ``GSI2`` all."""

    team_id = UnicodeAttribute()
    uid = UnicodeAttribute()
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    team_alias = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    status_reason = UnicodeAttribute(null=True)
    blocked = BooleanAttribute(default=False)
    # Its keys are being removed; it does not exist for anybody any more.
    deleting = BooleanAttribute(default=False)
    # ``all`` or ``listed``; the list is access_groups and models together.
    model_access = UnicodeAttribute()
    access_groups = TextListAttribute()
    models = TextListAttribute()
    # Routes that its members may use on its keys; absent: the baseline.
    team_member_permissions = ListAttribute(of=UnicodeAttribute, null=True)
    object_permission_id = UnicodeAttribute(null=True)
    # The shared row that limits members who have no limits of their own, how long their keys live, and what they may
    # use; read on their calls.
    member_budget_id = UnicodeAttribute(null=True)
    member_key_duration = UnicodeAttribute(null=True)
    default_member_models = TextListAttribute()
    # Other names for models, for its keys only.
    model_aliases = FreeFormAttribute(null=True)
    # What a request in a job gets that names no model.
    default_model = UnicodeAttribute(null=True)
    budget_mode = UnicodeAttribute()
    credits_per_dollar = DecimalAttribute(null=True)
    tokens_per_credit = IntegerAttribute(null=True)
    cost_markup_percentage = DecimalAttribute()
    credit_price_usd = DecimalAttribute(null=True)
    # A completed job is charged although some of its calls failed.
    charge_failed_jobs = BooleanAttribute(default=False)
    credits_source = UnicodeAttribute()
    # Over how many counter items calls are spread, and how many there are (decision 18).
    account_shards = IntegerAttribute(default=1)
    account_items = IntegerAttribute(default=1)
    limits = LimitsAttribute(null=True)
    tags = TextListAttribute()
    # Its share of the organization's budget, in USD.
    allocated_budget = DecimalAttribute(null=True)
    # The primary key: made at creation, replaced by rotate-key.
    key_id = UnicodeAttribute(null=True)
    key_mask = UnicodeAttribute(null=True)
    # When a call was first made in it; written by the stream's consumer.
    first_call_at = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()
