"""How an account is stored: a counter item that calls write, and ledger entries that are only ever added."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.constants import MAP

from tollgate.core.money import ZERO
from tollgate.table.attributes import DecimalAttribute, IntegerAttribute
from tollgate.table.base import Item


class HoldsAttribute(Attribute[dict[str, Decimal]]):
    """Reservations as credits by hold id.

    Stored is id -> ``{a: credits, x: expiry in epoch seconds, ...}``, which only the data plane writes. Here a new
    account gets the empty map and the credits are read, exactly; a call that does not pay here holds none.
    """

    attr_type = MAP

    def serialize(self, value: dict[str, Decimal]) -> dict[str, Any]:
        if value:
            message = "holds are written by calls only"
            raise ValueError(message)
        return {}

    def deserialize(self, value: dict[str, Any]) -> dict[str, Decimal]:
        return {hold_id: Decimal(hold["M"]["a"]["N"]) if "a" in hold["M"] else ZERO for hold_id, hold in value.items()}


class AccountItem(Item):
    """``HOT#<shard>`` of an account. Terse names, because its size is what every call's writes cost.

    Credits used are ``al - av - sum of holds``: what was allocated, is not available and is not held. What counts for
    limits only has no ``av``, ``al`` and ``sq``: then it becomes an account with the first ledger entry.
    The data plane writes this item; here it is created, read and given credits.
    """

    # Available credits: allocated, less used, less held.
    av = DecimalAttribute(null=True)
    # Allocated credits: what was added, less what was taken back.
    al = DecimalAttribute(null=True)
    h = HoldsAttribute()
    # Credits that are set apart for open jobs.
    jh = DecimalAttribute(null=True)
    # Settled client cost in USD, tokens and calls since the account exists.
    us = DecimalAttribute()
    tk = IntegerAttribute()
    cn = IntegerAttribute()
    # Number of ledger entries; each is conditional on it, so that they form one sequence.
    sq = IntegerAttribute(null=True)
    # Whose account: what alerts and a record written by the sweeper need.
    scope = UnicodeAttribute(null=True)
    scope_id = UnicodeAttribute(null=True)
    team_id = UnicodeAttribute(null=True)
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)


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


class BookedItem(Item):
    """The marker of the one entry that a cause may have: beside the ledger, under the cause."""

    transaction_id = UnicodeAttribute()


class ChargedCallItem(Item):
    """A call's record, which the data plane writes: what a refund reads of it."""

    call_id = UnicodeAttribute(null=True)
    # Who paid, where it was not the team that called.
    account_uid = UnicodeAttribute(null=True)
    team_uid = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    outcome = UnicodeAttribute(null=True)
    credits_charged = DecimalAttribute(null=True)
