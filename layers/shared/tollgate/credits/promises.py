"""What the end of a job does to the account that pays for it: promised credits come back, or are charged (Q-17).

The calls of a job take credits from what is available and leave them with the account as promised (``jh``). Closing the
job charges what is due out of that, and gives back the rest; it takes more only where the account can give it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import reduce
from operator import and_
from typing import Any

from pynamodb.expressions.condition import Condition

from tollgate.core import ids
from tollgate.core.money import ZERO
from tollgate.credits import repository
from tollgate.credits.items import AccountItem
from tollgate.credits.model import Account, AccountOwner, Cause, Transaction, TransactionType
from tollgate.limits.account import LimitMode
from tollgate.limits.items import CounterItem
from tollgate.limits.model import Ceiling, Unit, counter_name
from tollgate.table import keys
from tollgate.table.transactions import Work


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that is closed: ``promised`` credits are held for it, ``due`` are to be charged.

    ``promised_at`` is when its first credits were promised: they count in that period of the account's ceiling.
    """

    job_id: str
    reason: str
    actor: str
    at: datetime
    promised: Decimal
    due: Decimal
    promised_at: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """How an account pays for a job, with the account as it was read."""

    owner: AccountOwner
    account: Account
    job: EndedJob
    charged: Decimal

    @property
    def remaining(self) -> Decimal:
        """Credits that the customer has after it."""
        return self.account.remaining - self.charged


def payment(owner: AccountOwner, job: EndedJob) -> Payment:
    """Charges what is due, or nothing where the account cannot give what was not promised (D-6)."""
    account = repository.find(owner.uid, owner.counter_items)
    more = job.due - job.promised
    charged = job.due if more <= ZERO or _carries(owner, account, more, job.at) else ZERO
    return Payment(owner, account, job, charged)


def pay(work: Work, paid: Payment) -> None:
    """Adds the payment to the transaction that closes the job.

    It loses the race if the ledger has grown since the account was read, or if what was not promised is gone.
    """
    entry = _entry(paid) if paid.charged else None
    home = _home(paid.account)
    for shard, available in enumerate(_available(paid, home)):
        actions: list[Any] = []
        conditions: list[Condition] = []
        if available:
            actions.append(AccountItem.av.add(available))
            if available < ZERO and _is_hard(paid.owner):
                conditions.append(AccountItem.av >= -available)
        if shard == home and paid.job.promised:
            conditions.append(AccountItem.jh.exists())
        if shard == home:
            actions += _released(paid)
        if shard == 0 and entry is not None:
            actions += [AccountItem.sq.add(1), *repository.made_if_missing(paid.owner)]
            conditions.append(repository.unchanged(paid.account))
        if actions:
            item = AccountItem(PK=keys.account(paid.owner.uid), SK=keys.counter(shard))
            work.update(item, actions, reduce(and_, conditions) if conditions else None, versioned=False)
    if entry is not None:
        work.create(repository.entry_item(paid.owner, entry))
        work.create(repository.marker(paid.owner.uid, charge_of(paid.job.job_id), entry))


def charge_of(job_id: str) -> Cause:
    """What a job's deduction is booked for, once."""
    return Cause("JOB", job_id)


def _carries(owner: AccountOwner, account: Account, more: Decimal, at: datetime) -> bool:
    settings = owner.settings
    if settings.limit_mode is LimitMode.UNLIMITED:
        return True
    if _is_hard(owner) and account.available < more:
        return False
    if settings.credit_limit is None:
        return True
    counted = repository.counted(owner.uid, owner.counter_items, _ceiling_counter(owner, at))
    return counted + more <= settings.credit_limit


def _available(paid: Payment, home: int) -> list[Decimal]:
    """What each counter item's available credits change by."""
    changes = [ZERO] * max(1, len(paid.account.shards))
    back = paid.job.promised - paid.charged
    if back >= ZERO or not _is_hard(paid.owner):
        changes[home] = back
        return changes
    for shard, available in enumerate(paid.account.shards):
        changes[shard] = -min(-back, max(ZERO, available))
        back -= changes[shard]
    return changes


def _released(paid: Payment) -> list[Any]:
    """Nothing is promised any more; the account's ceiling counts what was charged instead."""
    actions: list[Any] = [AccountItem.jh.add(-paid.job.promised)] if paid.job.promised else []
    more = paid.charged - paid.job.promised
    if paid.owner.settings.credit_limit is not None and more:
        name = _ceiling_counter(paid.owner, paid.job.at)
        if more > ZERO or name == _ceiling_counter(paid.owner, paid.job.promised_at):
            actions.append(CounterItem.attribute(name).add({"N": format(more, "f")}))
    return actions


def _ceiling_counter(owner: AccountOwner, at: datetime) -> str:
    """The counter of the credits that are used in the period of ``at``."""
    period = owner.settings.refill_period
    ceiling = Ceiling("credit_limit", Unit.CREDITS, ZERO, period.duration if period else None)
    return counter_name(ceiling.code, at.timestamp())


def _home(account: Account) -> int:
    """The counter item that gives: the one with the most promises, as several calls may have left some in several."""
    return max(range(len(account.promised)), key=lambda shard: account.promised[shard], default=0)


def _is_hard(owner: AccountOwner) -> bool:
    return owner.settings.limit_mode is LimitMode.HARD


def _entry(paid: Payment) -> Transaction:
    return Transaction(
        transaction_id=ids.new_ulid(),
        transaction_type=TransactionType.DEDUCTION,
        amount=-paid.charged,
        before=paid.account.remaining,
        after=paid.remaining,
        reason=paid.job.reason,
        actor=paid.job.actor,
        created_at=paid.job.at,
        job_id=paid.job.job_id,
    )
