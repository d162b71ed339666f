"""What every change of an account's credits has in common: its entry, its owner, its condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from tollgate.core import ids
from tollgate.core.errors import InsufficientCreditsError, NotFoundError, ReservedError
from tollgate.core.money import ZERO, plain
from tollgate.credits import repository
from tollgate.credits.model import Account, AccountOwner, Booking, Transaction, TransactionType
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.table.transactions import Work
from tollgate.teams import repository as teams

# Entries of one ledger follow each other, so those who write at the same moment wait for one another.
ATTEMPTS = 8


def booking(  # noqa: PLR0913
    owner: AccountOwner,
    transaction_type: TransactionType,
    amount: Decimal,
    *,
    reason: str | None,
    actor: str,
    at: datetime,
    **links: Any,
) -> Booking:
    """An entry for the account as it is now; ``links`` are the transaction's references.

    Raises InsufficientCreditsError if more is to be taken than there is, ReservedError if calls hold it.
    """
    account = repository.find(owner.uid, owner.counter_items)
    if amount < ZERO:
        _check_available(owner, account, -amount)
    entry = Transaction(
        transaction_id=ids.new_ulid(),
        transaction_type=transaction_type,
        amount=amount,
        before=account.remaining,
        after=account.remaining + amount,
        reason=reason,
        actor=actor,
        created_at=at,
        **links,
    )
    return Booking(owner, account, entry)


def linked(one: Booking, other: Booking) -> tuple[Booking, Booking]:
    """The two lines of one transfer, each naming the other."""
    return tuple(  # type: ignore[return-value]
        replace(line, entry=replace(line.entry, related_transaction_id=related.entry.transaction_id))
        for line, related in ((one, other), (other, one))
    )


def keep_owners(work: Work, bookings: Sequence[Booking]) -> None:
    """The owners' side of one transaction: they have to be there still, and count what was allocated to teams.

    A transaction writes an item once, so an organization's own account and its counts are one write here.
    """
    for line in bookings:
        if line.owner.team is not None:
            (teams.end_grace if line.ends_grace else teams.require)(work, line.owner.team)
    allocated = sum((line.allocated for line in bookings if line.owner.team is not None), ZERO)
    own = next((line for line in bookings if line.owner.organization is not None), None)
    organization_id, uid = bookings[0].owner.organization_id, bookings[0].owner.organization_uid
    ends_grace = own is not None and own.ends_grace
    opens = own is not None and own.owner.organization is not None and not own.owner.organization.has_account
    if allocated or ends_grace or opens:
        organizations.count_teams(
            work,
            organization_id,
            uid,
            allocated=allocated,
            has_account=True if opens else None,
            end_grace=ends_grace,
        )
    elif own is not None and organization_id is not None:
        missing = NotFoundError(organization_access.missing(organization_id))
        organizations.require(work, organization_id, uid, otherwise=missing)


def _check_available(owner: AccountOwner, account: Account, amount: Decimal) -> None:
    if amount <= account.available:
        return
    if amount <= account.remaining:
        message = "Credits are reserved by calls in flight; try again in a moment"
        raise ReservedError(message, retry_after=1, **_figures(owner, account))
    raise insufficient(owner, account, amount)


def insufficient(owner: AccountOwner, account: Account, amount: Decimal) -> InsufficientCreditsError:
    """The refusal of what needs ``amount`` credits, which are not there."""
    return InsufficientCreditsError(
        f"Insufficient credits. {owner.name} has {plain(account.remaining)} credits remaining, but {plain(amount)} "
        f"required. Allocated: {plain(account.allocated)}, Used: {plain(account.used)}",
        **_figures(owner, account),
    )


def _figures(owner: AccountOwner, account: Account) -> dict[str, Any]:
    return {
        "scope": owner.name.lower(),
        "limit": account.allocated,
        "spent": account.used,
        "reserved": account.held,
    }
