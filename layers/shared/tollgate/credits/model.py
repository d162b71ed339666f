"""Accounts and their ledger as requests, answers and domain objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AliasChoices, Field

from tollgate.core import money
from tollgate.core.fields import (
    Amount,
    CreditAmount,
    CreditChange,
    Metadata,
    PositiveCredits,
    Reason,
    RequestModel,
    ResponseModel,
    Timestamp,
)
from tollgate.core.money import ZERO
from tollgate.limits.account import AccountSettings, CreditsSource
from tollgate.limits.account_fields import AccountSettingsAnswer
from tollgate.organizations.model import Organization
from tollgate.teams.model import Team

OwnerId = Annotated[str, Field(min_length=1, max_length=256)]


class TransactionType(StrEnum):
    """The entries that a ledger has (decisions section 7); plain calls are none, their records are."""

    ALLOCATION = "allocation"
    DEDUCTION = "deduction"
    REFUND = "refund"
    ADJUSTMENT = "adjustment"
    REFILL = "refill"
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"

    @property
    def allocates(self) -> bool:
        """Whether it changes what was allocated; the others change what was used (contract 3.1)."""
        return self not in {TransactionType.DEDUCTION, TransactionType.REFUND}


@dataclass(frozen=True, slots=True)
class AccountOwner:
    """A team or an organization, as the owner of an account; exactly one of both is set."""

    team: Team | None = None
    organization: Organization | None = None

    @property
    def _entity(self) -> Team | Organization:
        entity = self.team or self.organization
        if entity is None:
            raise AssertionError
        return entity

    @property
    def uid(self) -> str:
        return self._entity.uid

    @property
    def counter_items(self) -> int:
        """Over how many items the account is spread (decision 18)."""
        return self._entity.account_items

    @property
    def settings(self) -> AccountSettings:
        return self._entity.account

    @property
    def status(self) -> str:
        return self._entity.status

    @property
    def created_at(self) -> datetime:
        return self._entity.created_at

    @property
    def updated_at(self) -> datetime:
        return self._entity.updated_at

    @property
    def team_id(self) -> str | None:
        return self.team.team_id if self.team else None

    @property
    def organization_id(self) -> str | None:
        return self._entity.organization_id

    @property
    def organization_uid(self) -> str | None:
        return self.team.organization_uid if self.team else self.uid

    @property
    def credits_source(self) -> CreditsSource | None:
        """Who pays for the team's calls: not always the account that it owns."""
        return self.team.credits_source if self.team else None

    @property
    def name(self) -> str:
        """As messages about credits call it."""
        return "Team" if self.team else "Organization"


@dataclass(frozen=True, slots=True)
class Account:
    """What an account's counter says: credits, and client cost in USD since the account exists.

    Attributes:
        available: credits neither used nor held.
        held: credits reserved by calls in flight, and those promised to open jobs.
        entries: length of the ledger.
        shards: what each of its counter items has available, the first one's first.
        promised: what each of them holds for open jobs.
    """

    allocated: Decimal = ZERO
    available: Decimal = ZERO
    held: Decimal = ZERO
    cost_usd: Decimal = ZERO
    entries: int = 0
    shards: tuple[Decimal, ...] = ()
    promised: tuple[Decimal, ...] = ()

    @property
    def remaining(self) -> Decimal:
        """What the customer sees: holds are not subtracted (Q-17)."""
        return self.available + self.held

    @property
    def used(self) -> Decimal:
        return self.allocated - self.remaining

    @property
    def overage(self) -> Decimal:
        """What a soft or unlimited account has used beyond its credits."""
        return max(-self.remaining, ZERO)

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
    call_id: str | None = None
    related_transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class Booking:
    """A ledger entry to be, with the account as it was read."""

    owner: AccountOwner
    account: Account
    entry: Transaction

    @property
    def allocated(self) -> Decimal:
        """What it adds to the credits allocated."""
        return self.entry.amount if self.entry.transaction_type.allocates else ZERO

    @property
    def ends_grace(self) -> bool:
        return self.owner.settings.grace_until is not None and self.entry.after > ZERO


@dataclass(frozen=True, slots=True)
class ChargedCall:
    """What a refund has to know of a call: who was charged how much, and whether nobody saw its end (Q-16)."""

    call_id: str
    account_uid: str
    credits: Decimal
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Cause:
    """What an entry is made for, where there may be only one: the marker of it is in the entry's transaction."""

    what: str
    which: str


class OfAccount(RequestModel):
    """Names an account by its owner: exactly one of both (Q-26)."""

    team_id: OwnerId | None = None
    organization_id: OwnerId | None = None

    @classmethod
    def of_team(cls, team_id: str, **fields: Any) -> Self:
        """Of the team that a path names: what no team can be called is not found, like any other."""
        return cast("Self", cls.model_construct(team_id=team_id, organization_id=None, **fields))


class Grant(RequestModel):
    """Credits to be added, in every documented spelling: ``amount``, ``credits`` or ``credits_amount``, and so on.

    ``metadata`` is kept with the audit event.
    """

    amount: Annotated[PositiveCredits, Field(validation_alias=AliasChoices("amount", "credits", "credits_amount"))]
    description: Annotated[Reason | None, Field(validation_alias=AliasChoices("description", "reason"))] = None
    metadata: Metadata | None = None


class AddCredits(OfAccount, Grant):
    """The same with the account's owner."""


class Direction(StrEnum):
    TO_TEAM = "to_team"
    TO_ORGANIZATION = "to_organization"


class TransferCredits(RequestModel):
    """Between a team and the organization that it is in."""

    team_id: OwnerId
    amount: CreditAmount
    direction: Direction = Direction.TO_TEAM
    description: Reason | None = None


class RefundCredits(OfAccount):
    """By exactly one of ``call_id``, ``job_id`` and ``transaction_id``; without ``amount`` all that was charged."""

    call_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    job_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    transaction_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    amount: CreditAmount | None = None
    reason: Reason


class AdjustCredits(OfAccount):
    """``amount`` is signed; what calls hold is not taken."""

    amount: CreditChange
    reason: Reason


class CreditBalance(AccountSettingsAnswer):
    """``team_id`` is null for an organization's account, ``credits_source`` as well. The times are the owner's."""

    team_id: str | None
    organization_id: str | None
    credits_remaining: Amount
    credits_allocated: Amount
    credits_used: Amount
    credits_reserved: Amount
    overage: Amount
    percentage_used: Amount | None
    status: str
    credits_source: CreditsSource | None
    suspended: Annotated[bool, Field(description="calls are refused because of `suspend_at_zero`")]
    created_at: Timestamp
    updated_at: Timestamp


class CreditSettings(AccountSettingsAnswer):
    """``credits_source`` is changed with the team."""

    team_id: str | None
    organization_id: str | None
    credits_source: CreditsSource | None


class TransactionEntry(ResponseModel):
    """One ledger entry in both documented spellings (D-19)."""

    transaction_id: str
    team_id: str | None
    organization_id: str | None
    job_id: str | None
    call_id: str | None
    related_transaction_id: str | None
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
    def of(cls, entry: Transaction, owner: AccountOwner) -> TransactionEntry:
        return cls(
            transaction_id=entry.transaction_id,
            team_id=owner.team_id,
            organization_id=owner.organization_id,
            job_id=entry.job_id,
            call_id=entry.call_id,
            related_transaction_id=entry.related_transaction_id,
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


class CreditsAdded(TransactionEntry):
    """The ledger's new entry, and what there is with it."""

    credits_added: int
    credits_remaining: Amount

    @classmethod
    def by(cls, line: Booking) -> CreditsAdded:
        """What a booking adds; the amount is whole, as requests for it are."""
        entry = TransactionEntry.of(line.entry, line.owner).model_dump()
        return cls(**entry, credits_added=int(line.entry.amount), credits_remaining=line.entry.after)


class TransactionList(ResponseModel):
    team_id: str | None
    organization_id: str | None
    total: int
    transactions: list[TransactionEntry]
    next_cursor: str | None = None


class CreditsTransferred(ResponseModel):
    """``transactions`` are the line of whom it was taken from, then that of whom it was given to."""

    team_id: str
    organization_id: str
    direction: Direction
    credits_transferred: Amount
    team_credits_remaining: Amount
    organization_credits_remaining: Amount
    transactions: list[TransactionEntry]
