"""Accounts in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from tollgate.core import clock, ids
from tollgate.core.errors import TollgateError
from tollgate.core.money import ZERO
from tollgate.core.pagination import Page, PageRequest
from tollgate.credits.items import AccountItem, BookedItem, ChargedCallItem, TransactionItem
from tollgate.credits.model import (
    Account,
    AccountOwner,
    Booking,
    Cause,
    ChargedCall,
    Transaction,
    TransactionType,
)
from tollgate.limits import repository as limits
from tollgate.limits.account_items import due_text
from tollgate.limits.model import Scope
from tollgate.organizations import repository as organizations
from tollgate.table import keys
from tollgate.table.base import GSI1, Item
from tollgate.table.transactions import Work
from tollgate.teams import repository as teams


def find(owner_uid: str, counter_items: int) -> Account:
    """The account as it is now, over all its counter items; all zeros where there is none."""
    raw = limits.counters(owner_uid, counter_items)
    return _account(sorted((AccountItem.from_raw_data(item) for item in raw), key=_shard))


def find_all(counter_items: Mapping[str, int]) -> dict[str, Account]:
    """The accounts of many owners by uid, read in batches; all zeros where there is none.

    Takes for each uid how many counter items it has; those are not of one moment where there are several.
    """
    pairs = [(keys.account(uid), keys.counter(shard)) for uid, items in counter_items.items() for shard in range(items)]
    found: dict[str, list[AccountItem]] = defaultdict(list)
    for item in AccountItem.batch_get(pairs, consistent_read=True):
        found[item.PK].append(item)
    return {uid: _account(sorted(found[keys.account(uid)], key=_shard)) for uid in counter_items}


def counted(owner_uid: str, counter_items: int, name: str) -> Decimal:
    """What the counter of that name says, over all its items."""
    raw = limits.counters(owner_uid, counter_items)
    return sum((Decimal(item[name]["N"]) for item in raw if name in item), ZERO)


def account_of(raw: Iterable[limits.RawItem]) -> Account:
    """The account that counter items, as the table gives them, are of; or the sum of several accounts."""
    return _account([AccountItem.from_raw_data(dict(item)) for item in raw])


def transactions(owner_uid: str, request: PageRequest) -> Page[Transaction]:
    """The ledger, newest entry first."""
    page = TransactionItem.page(
        keys.account(owner_uid),
        request,
        scope="transactions",
        prefix=TransactionItem.SK.startswith(keys.transaction()),
        newest_first=True,
    )
    return Page([_transaction(item) for item in page.entries], page.next_cursor, page.truncated)


def transactions_of_organization(organization_uid: str, request: PageRequest) -> Page[tuple[str | None, Transaction]]:
    """The ledgers of an organization and of all its teams as one, newest entry first, each with its team's id."""
    page = TransactionItem.page(
        keys.ledger_of(organization_uid), request, scope="transactions", index=GSI1, newest_first=True
    )
    entries: list[tuple[str | None, Transaction]] = [(item.team_id, _transaction(item)) for item in page.entries]
    return Page(entries, page.next_cursor, page.truncated)


def open_account(work: Work, owner: AccountOwner, first: Transaction | None) -> None:
    """Adds a team's account to the transaction that creates the team; ``first`` is what it starts with."""
    credit = first.amount if first else ZERO
    work.create(
        AccountItem(
            PK=keys.account(owner.uid),
            SK=keys.counter(),
            kind="account",
            av=credit,
            al=credit,
            h={},
            us=ZERO,
            tk=0,
            cn=0,
            sq=1 if first else 0,
            **_identity(owner),
        )
    )
    if first:
        work.create(entry_item(owner, first))


def book(work: Work, booking: Booking, cause: Cause | None = None, *, otherwise: TollgateError | None = None) -> None:
    """Adds a ledger entry and moves the credits; the account is made with its first entry.

    The transaction loses the race if the ledger has grown since the account was read, or if credits that are to be
    taken were used or held meanwhile. Calls may have moved the counter; the entry then tells the balance that was read.
    ``otherwise`` is raised if ``cause`` has had its entry before.
    """
    owner, entry = booking.owner, booking.entry
    same = unchanged(booking.account)
    first, *others = _by_shard(booking)
    if first < ZERO:
        same &= AccountItem.av >= -first
    for shard, amount in enumerate(others, start=1):
        if amount:
            item = AccountItem(PK=keys.account(owner.uid), SK=keys.counter(shard))
            work.update(item, [AccountItem.av.add(amount)], AccountItem.av >= -amount, versioned=False)
    work.update(
        AccountItem(PK=keys.account(owner.uid), SK=keys.counter()),
        [
            AccountItem.av.add(first),
            AccountItem.al.add(booking.allocated),
            AccountItem.sq.add(1),
            *made_if_missing(owner),
        ],
        same,
        versioned=False,
    )
    work.create(entry_item(owner, entry))
    if cause is not None:
        work.create(marker(owner.uid, cause, entry), otherwise=otherwise)


def booked(owner_uid: str, cause: Cause) -> str | None:
    """The transaction of the one entry that a cause has had, if it has."""
    item = BookedItem.find(keys.account(owner_uid), keys.booked(cause.what, cause.which))
    return item.transaction_id if item else None


def marker(owner_uid: str, cause: Cause, entry: Transaction) -> BookedItem:
    """What says that a cause has had its one entry, and which it is."""
    return BookedItem(
        PK=keys.account(owner_uid),
        SK=keys.booked(cause.what, cause.which),
        kind="booked",
        transaction_id=entry.transaction_id,
    )


def find_transaction(owner_uid: str, transaction_id: str) -> Transaction | None:
    item = TransactionItem.find(keys.account(owner_uid), keys.transaction(transaction_id))
    return _transaction(item) if item else None


def find_call(call_id: str) -> ChargedCall | None:
    """The record of a call that was admitted; None as well for what is no call id."""
    try:
        hold_id = ids.hold_id_of(call_id)
    except ValueError:
        return None
    item = ChargedCallItem.find(keys.call(hold_id), keys.ENTITY)
    if item is None or item.call_id != call_id:
        return None
    return ChargedCall(
        call_id=call_id,
        account_uid=item.account_uid or item.team_uid or item.organization_uid or keys.PLATFORM,
        credits=item.credits_charged or ZERO,
        interrupted=item.outcome == "interrupted",
    )


def due_accounts(now: datetime) -> Iterator[str]:
    """Places of the owners whose account the schedule has to look at, by the sparse index."""
    latest = due_text(int(now.timestamp()))
    for partition in range(keys.REFILL_PARTITIONS):
        yield from (item.PK for item in Item.due.query(keys.refill(partition), latest >= Item.DUESK))


def owner_at(place: str) -> AccountOwner | None:
    """The owner as it is now; None if it is gone or going."""
    team_prefix = keys.team("")
    if place.startswith(team_prefix):
        team = teams.find(unquote(place.removeprefix(team_prefix)))
        return AccountOwner(team=team) if team and not team.deleting else None
    organization = organizations.find(unquote(place.removeprefix(keys.organization(""))))
    return AccountOwner(organization=organization) if organization and not organization.deleting else None


def close_account(work: Work, owner_uid: str, counter_items: int) -> None:
    """Removes the counter of an owner that is gone; the ledger stays under its uid."""
    for shard in range(counter_items):
        work.delete(AccountItem(PK=keys.account(owner_uid), SK=keys.counter(shard)))


def unchanged(account: Account) -> Condition:
    """That the ledger has not grown since the account was read."""
    same = AccountItem.sq == account.entries
    return same if account.entries else same | AccountItem.sq.does_not_exist()


def _identity(owner: AccountOwner) -> dict[str, Any]:
    return {
        "scope": (Scope.TEAM if owner.team else Scope.ORGANIZATION).value,
        "scope_id": owner.team_id or owner.organization_id,
        "team_id": owner.team_id,
        "organization_id": owner.organization_id,
        "organization_uid": owner.organization_uid,
    }


def made_if_missing(owner: AccountOwner) -> list[Action]:
    """What a counter item has besides credits, where the first entry makes it."""
    values: dict[str, Any] = {"kind": "account", "h": {}, "us": ZERO, "tk": 0, "cn": 0, **_identity(owner)}
    attributes = AccountItem.get_attributes()
    return [attributes[name].set(attributes[name] | value) for name, value in values.items() if value is not None]


def entry_item(owner: AccountOwner, entry: Transaction) -> TransactionItem:
    return TransactionItem(
        PK=keys.account(owner.uid),
        SK=keys.transaction(entry.transaction_id),
        GSI1PK=keys.ledger_of(owner.organization_uid) if owner.organization_uid else None,
        GSI1SK=entry.transaction_id if owner.organization_uid else None,
        kind="transaction",
        transaction_id=entry.transaction_id,
        team_id=owner.team_id,
        organization_id=owner.organization_id,
        transaction_type=entry.transaction_type.value,
        credits_amount=entry.amount,
        credits_before=entry.before,
        credits_after=entry.after,
        job_id=entry.job_id,
        call_id=entry.call_id,
        related_transaction_id=entry.related_transaction_id,
        reason=entry.reason,
        actor=entry.actor,
        created_at=clock.to_stored(entry.created_at),
    )


def _by_shard(booking: Booking) -> list[Decimal]:
    """What an entry adds to each counter item: the first gets all that comes, each gives of what goes what it has."""
    amount = booking.entry.amount
    if amount >= ZERO:
        return [amount]
    parts, left = [], -amount
    for available in booking.account.shards:
        parts.append(-min(left, max(ZERO, available)))
        left += parts[-1]
    # The first is asked for what nobody has: its condition fails then.
    return [parts[0] - left, *parts[1:]] if parts else [amount]


def _shard(item: AccountItem) -> int:
    return keys.shard_of(item.SK)


def _account(items: Sequence[AccountItem]) -> Account:
    shards = tuple(item.av or ZERO for item in items)
    return Account(
        allocated=sum((item.al or ZERO for item in items), ZERO),
        available=sum(shards, ZERO),
        held=sum((held for item in items for held in (*item.h.values(), item.jh or ZERO)), ZERO),
        cost_usd=sum((item.us for item in items), ZERO),
        entries=sum(item.sq or 0 for item in items),
        shards=shards,
        promised=tuple(item.jh or ZERO for item in items),
    )


def _transaction(item: TransactionItem) -> Transaction:
    return Transaction(
        transaction_id=item.transaction_id,
        transaction_type=TransactionType(item.transaction_type),
        amount=item.credits_amount,
        before=item.credits_before,
        after=item.credits_after,
        reason=item.reason,
        actor=item.actor,
        created_at=clock.from_stored(item.created_at),
        job_id=item.job_id,
        call_id=item.call_id,
        related_transaction_id=item.related_transaction_id,
    )
