"""Accounts in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Iterable

from tollgate.core import clock
from tollgate.core.money import ZERO
from tollgate.core.pagination import Page, PageRequest
from tollgate.credits.items import AccountItem, TransactionItem
from tollgate.credits.model import Account, Transaction, TransactionType
from tollgate.table import keys
from tollgate.table.transactions import Work
from tollgate.teams.model import Team


def find(owner_uid: str) -> Account:
    """The account as it is now; all zeros where there is none."""
    item = AccountItem.find(keys.account(owner_uid), keys.counter())
    return _account(item) if item else Account()


def find_all(owner_uids: Iterable[str]) -> dict[str, Account]:
    """The accounts of many owners by uid, read in batches; all zeros where there is none."""
    wanted = {keys.account(uid): uid for uid in owner_uids}
    pairs = [(pk, keys.counter()) for pk in wanted]
    found = {wanted[item.PK]: _account(item) for item in AccountItem.batch_get(pairs, consistent_read=True)}
    return {uid: found.get(uid, Account()) for uid in wanted.values()}


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


def open_account(work: Work, team: Team, first: Transaction | None) -> None:
    """Adds a team's account to the transaction that creates the team; ``first`` is what it starts with."""
    credit = first.amount if first else ZERO
    work.create(
        AccountItem(
            PK=keys.account(team.uid),
            SK=keys.counter(),
            kind="account",
            av=credit,
            al=credit,
            h={},
            us=ZERO,
            tk=0,
            cn=0,
            sq=1 if first else 0,
            team_id=team.team_id,
            organization_id=team.organization_id,
            organization_uid=team.organization_uid,
        )
    )
    if first:
        work.create(_entry(team, first))


def grant(work: Work, team: Team, account: Account, entry: Transaction) -> None:
    """Adds allocated credits and their ledger entry.

    The transaction loses the race if the ledger has grown since ``account`` was read. Calls may have moved the counter
    meanwhile; the entry then tells the balance that was read.
    """
    work.update(
        AccountItem(PK=keys.account(team.uid), SK=keys.counter()),
        [AccountItem.av.add(entry.amount), AccountItem.al.add(entry.amount), AccountItem.sq.add(1)],
        AccountItem.sq == account.entries,
        versioned=False,
    )
    work.create(_entry(team, entry))


def close_account(work: Work, team: Team, account: Account) -> None:
    """Removes the counter; the ledger stays under the team's uid. Loses the race if the ledger has grown."""
    gone = AccountItem.PK.does_not_exist()
    work.delete(AccountItem(PK=keys.account(team.uid), SK=keys.counter()), gone | (AccountItem.sq == account.entries))


def _entry(team: Team, entry: Transaction) -> TransactionItem:
    return TransactionItem(
        PK=keys.account(team.uid),
        SK=keys.transaction(entry.transaction_id),
        kind="transaction",
        transaction_id=entry.transaction_id,
        team_id=team.team_id,
        organization_id=team.organization_id,
        transaction_type=entry.transaction_type.value,
        credits_amount=entry.amount,
        credits_before=entry.before,
        credits_after=entry.after,
        job_id=entry.job_id,
        reason=entry.reason,
        actor=entry.actor,
        created_at=clock.to_stored(entry.created_at),
    )


def _account(item: AccountItem) -> Account:
    return Account(
        allocated=item.al,
        available=item.av,
        held=sum(item.h.values(), ZERO),
        cost_usd=item.us,
        jobs=item.jb or 0,
        entries=item.sq,
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
    )
