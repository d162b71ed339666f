"""Use cases of accounts. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from tollgate.audit import repository as audit
from tollgate.auth.policy import Action, Owner
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.pagination import PageRequest
from tollgate.credits import repository
from tollgate.credits.access import change_settings, event_of, reachable
from tollgate.credits.booking import ATTEMPTS, booking, keep_owners
from tollgate.credits.model import (
    AddCredits,
    CreditBalance,
    CreditsAdded,
    CreditSettings,
    OfAccount,
    TransactionEntry,
    TransactionList,
    TransactionType,
)
from tollgate.limits.account_fields import UpdateAccountSettings, changed_settings, shown
from tollgate.table.idempotency import Once, remember, replayed
from tollgate.table.transactions import Work, retried


@dataclass(frozen=True, slots=True)
class CreditService:
    """What can be done with one account, a team's or an organization's."""

    clock: Clock = utc_now

    def add(self, caller: Principal, request: AddCredits, once: Once | None = None) -> CreditsAdded:
        """Adds credits, in any state of the owner (D-9); the next call can spend them."""
        return retried(lambda: self._add(caller, request, once), attempts=ATTEMPTS)

    def _add(self, caller: Principal, request: AddCredits, once: Once | None) -> CreditsAdded:
        owner, now = reachable(caller, request, Action.CREDITS_ADD), self.clock()
        earlier = replayed(once, CreditsAdded, now)
        if earlier is not None:
            return earlier
        line = booking(
            owner,
            TransactionType.ALLOCATION,
            Decimal(request.amount),
            reason=request.description,
            actor=caller.actor,
            at=now,
        )
        answer = CreditsAdded.by(line)
        work = Work()
        repository.book(work, line)
        keep_owners(work, [line])
        after = {"credits_added": request.amount, "transaction_id": line.entry.transaction_id}
        after |= {"metadata": request.metadata} if request.metadata else {}
        audit.append(work, event_of(caller, owner, "credits_added", now, after=after))
        remember(work, once, answer, now)
        work.commit()
        return answer

    def balance(self, caller: Principal, named: OfAccount) -> CreditBalance:
        """The account as it is at this moment, calls in flight included."""
        owner = reachable(caller, named, Action.CREDITS_READ)
        account = repository.find(owner.uid, owner.counter_items)
        return CreditBalance(
            team_id=owner.team_id,
            organization_id=owner.organization_id,
            credits_remaining=account.remaining,
            credits_allocated=account.allocated,
            credits_used=account.used,
            credits_reserved=account.held,
            overage=account.overage,
            percentage_used=account.percentage_used,
            status=owner.status,
            credits_source=owner.credits_source,
            suspended=owner.settings.suspended(account.available, self.clock()),
            created_at=owner.created_at,
            updated_at=owner.updated_at,
            **shown(owner.settings),
        )

    def transactions(self, caller: Principal, named: OfAccount, request: PageRequest) -> TransactionList:
        """The ledger, newest first. Plain calls are not in it: their records explain the rest of the balance."""
        owner = reachable(caller, named, Action.CREDITS_READ)
        page = repository.transactions(owner.uid, request)
        return TransactionList(
            team_id=owner.team_id,
            organization_id=owner.organization_id,
            total=repository.find(owner.uid, owner.counter_items).entries,
            transactions=[TransactionEntry.of(entry, owner) for entry in page.entries],
            next_cursor=page.next_cursor,
        )

    def settings(self, caller: Principal, named: OfAccount) -> CreditSettings:
        """How the account refuses, refills and warns."""
        owner = reachable(caller, named, Action.CREDITS_READ)
        return CreditSettings(
            team_id=owner.team_id,
            organization_id=owner.organization_id,
            credits_source=owner.credits_source,
            **shown(owner.settings),
        )

    def configure(self, caller: Principal, named: OfAccount, request: UpdateAccountSettings) -> CreditSettings:
        """Changes the settings that were sent; it counts on the very next call (Q-49)."""
        retried(lambda: self._configure(caller, named, request))
        return self.settings(caller, named)

    def _configure(self, caller: Principal, named: OfAccount, request: UpdateAccountSettings) -> None:
        owner, now = reachable(caller, named, Action.CREDITS_CONFIGURE), self.clock()
        scope = Owner(owner.organization_id, owner.team_id)
        settings = changed_settings(caller, request, scope, owner.settings, now)
        if settings == owner.settings:
            return
        sent = request.model_dump(exclude_unset=True)
        before = {name: getattr(owner.settings, name) for name in sent}
        event = event_of(caller, owner, "credits_configured", now, before=before, after=sent)
        work = Work()
        change_settings(work, owner, settings, event)
        audit.append(work, event)
        work.commit()


@cache
def credit_service() -> CreditService:
    return CreditService()
