"""How an account is stored: a counter item that calls write, and ledger entries that are only ever added."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.constants import MAP

from tollgate.table.attributes import DecimalAttribute, IntegerAttribute
from tollgate.table.base import Item


class HoldsAttribute(Attribute[dict[str, Decimal]]):
    """Reservations as credits by hold id.

    Stored is id -> ``{a: credits, x: expiry in epoch seconds, k: kind, ...}``, which only the data plane writes,
    through ``metering.store``. Here a new account gets the empty map and the credits are read, exactly.
    """

    attr_type = MAP

    def serialize(self, value: dict[str, Decimal]) -> dict[str, Any]:
        if value:
            message = "holds are written by calls only"
            raise ValueError(message)
        return {}

    def deserialize(self, value: dict[str, Any]) -> dict[str, Decimal]:
        return {hold_id: Decimal(hold["M"]["a"]["N"]) for hold_id, hold in value.items()}


class AccountItem(Item):
    """``HOT#<shard>`` of an account. Terse names, because its size is what every call's writes cost.

    Credits used are ``al - av - sum of holds``: what was allocated, is not available and is not held.
    The data plane writes this item through ``metering.store``; here it is created and read.
    """

    # Available credits: allocated, less used, less held.
    av = DecimalAttribute()
    # Allocated credits: what was ever added.
    al = DecimalAttribute()
    h = HoldsAttribute()
    # Settled client cost in USD, tokens and calls since the account exists.
    us = DecimalAttribute()
    tk = IntegerAttribute()
    cn = IntegerAttribute()
    # Jobs since the account exists; absent until there is one.
    jb = IntegerAttribute(null=True)
    # Number of ledger entries; a grant is conditional on it, so that entries form one sequence.
    sq = IntegerAttribute()
    # Whose account: what a record written by the sweeper needs.
    team_id = UnicodeAttribute(null=True)
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    DUEPK = UnicodeAttribute(null=True)
    DUESK = UnicodeAttribute(null=True)


class TransactionItem(Item):
    """A ledger entry, under the account by ULID."""

    transaction_id = UnicodeAttribute()
    team_id = UnicodeAttribute(null=True)
    organization_id = UnicodeAttribute(null=True)
    transaction_type = UnicodeAttribute()
    # Signed: a deduction is negative.
    credits_amount = DecimalAttribute()
    credits_before = DecimalAttribute()
    credits_after = DecimalAttribute()
    job_id = UnicodeAttribute(null=True)
    call_id = UnicodeAttribute(null=True)
    related_transaction_id = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    actor = UnicodeAttribute()
    created_at = UnicodeAttribute()
