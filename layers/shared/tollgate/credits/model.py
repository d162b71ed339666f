"""Accounts and their ledger as requests, answers and domain objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from tollgate.core import money
from tollgate.core.fields import Amount, PositiveCredits, Reason, RequestModel, ResponseModel, Timestamp
from tollgate.core.money import ZERO


class TransactionType(StrEnum):
    """The entries that a ledger has (decisions section 7); plain calls are none, their records are."""

    ALLOCATION = "allocation"
    DEDUCTION = "deduction"
    REFUND = "refund"
    ADJUSTMENT = "adjustment"
    REFILL = "refill"
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"


@dataclass(frozen=True, slots=True)
class Account:
    """What an account's counter says: credits, and client cost in USD since the account exists.

    Attributes:
        available: credits neither used nor held.
        held: credits reserved by calls in flight.
        entries: length of the ledger.
    """

    allocated: Decimal = ZERO
    available: Decimal = ZERO
    held: Decimal = ZERO
    cost_usd: Decimal = ZERO
    jobs: int = 0
    entries: int = 0

    @property
    def remaining(self) -> Decimal:
        """What the customer sees: holds are not subtracted (Q-17)."""
        return self.available + self.held

    @property
    def used(self) -> Decimal:
        return self.allocated - self.remaining

    @property
    def percentage_used(self) -> Decimal | None:
        """0 to 100; None for an account that nothing was ever added to."""
        return money.ratio(self.used * 100, self.allocated)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A ledger entry; ``amount`` is signed, ``before`` and ``after`` are credits remaining."""

    transaction_id: str
    transaction_type: TransactionType
    amount: Decimal
    before: Decimal
    after: Decimal
    reason: str | None
    actor: str
    created_at: datetime
    job_id: str | None = None


class AddCredits(RequestModel):
    team_id: Annotated[str, Field(min_length=1, max_length=256)]
    amount: PositiveCredits
    description: Reason | None = None


class CreditsAdded(ResponseModel):
    team_id: str
    credits_added: int
    credits_remaining: Amount
    transaction_id: str


class CreditBalance(ResponseModel):
    team_id: str
    credits_remaining: Amount
    credits_allocated: Amount
    credits_used: Amount
    credits_reserved: Amount
    percentage_used: Amount | None
    status: str


class TransactionEntry(ResponseModel):
    """One ledger entry in both documented spellings (D-19)."""

    transaction_id: str
    team_id: str
    organization_id: str | None
    job_id: str | None
    transaction_type: TransactionType
    credits_amount: Amount
    credits_before: Amount
    credits_after: Amount
    reason: str | None
    created_at: Timestamp
    type: Literal["addition", "deduction"]
    amount: Amount
    description: str | None
    timestamp: Timestamp
    balance_after: Amount

    @classmethod
    def of(cls, entry: Transaction, team_id: str, organization_id: str | None) -> TransactionEntry:
        return cls(
            transaction_id=entry.transaction_id,
            team_id=team_id,
            organization_id=organization_id,
            job_id=entry.job_id,
            transaction_type=entry.transaction_type,
            credits_amount=entry.amount,
            credits_before=entry.before,
            credits_after=entry.after,
            reason=entry.reason,
            created_at=entry.created_at,
            type="addition" if entry.amount >= ZERO else "deduction",
            amount=abs(entry.amount),
            description=entry.reason,
            timestamp=entry.created_at,
            balance_after=entry.after,
        )


class TransactionList(ResponseModel):
    team_id: str
    total: int
    transactions: list[TransactionEntry]
    next_cursor: str | None = None
