"""Use cases of accounts. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from tollgate.audit import repository as audit
from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.pagination import PageRequest
from tollgate.credits import repository
from tollgate.credits.model import (
    AddCredits,
    CreditBalance,
    CreditsAdded,
    Transaction,
    TransactionEntry,
    TransactionList,
    TransactionType,
)
from tollgate.organizations import repository as organizations
from tollgate.table.transactions import Work, retried
from tollgate.teams.access import event_of, reachable

# Entries of one ledger follow each other, so those who add at the same moment wait for one another.
_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class CreditService:
    """What can be done with a team's prepaid account."""

    clock: Clock = utc_now

    def add(self, caller: Principal, request: AddCredits) -> CreditsAdded:
        """Adds credits, in any state of the team (D-9); the next call can spend them."""
        return retried(lambda: self._add(caller, request), attempts=_ATTEMPTS)

    def _add(self, caller: Principal, request: AddCredits) -> CreditsAdded:
        team = reachable(caller, request.team_id, Action.CREDITS_ADD)
        account = repository.find(team.uid)
        amount = Decimal(request.amount)
        entry = Transaction(
            transaction_id=ids.new_ulid(),
            transaction_type=TransactionType.ALLOCATION,
            amount=amount,
            before=account.remaining,
            after=account.remaining + amount,
            reason=request.description,
            actor=caller.actor,
            created_at=self.clock(),
        )
        work = Work()
        repository.grant(work, team, account, entry)
        organizations.count_teams(work, team.organization_id, team.organization_uid, allocated=request.amount)
        after = {"credits_added": request.amount, "transaction_id": entry.transaction_id}
        audit.append(work, event_of(caller, team, "credits_added", entry.created_at, after=after))
        work.commit()
        return CreditsAdded(
            team_id=team.team_id,
            credits_added=request.amount,
            credits_remaining=entry.after,
            transaction_id=entry.transaction_id,
        )

    def balance(self, caller: Principal, team_id: str) -> CreditBalance:
        """The account as it is at this moment, calls in flight included."""
        team = reachable(caller, team_id, Action.CREDITS_READ)
        account = repository.find(team.uid)
        return CreditBalance(
            team_id=team.team_id,
            credits_remaining=account.remaining,
            credits_allocated=account.allocated,
            credits_used=account.used,
            credits_reserved=account.held,
            percentage_used=account.percentage_used,
            status=team.status,
        )

    def transactions(self, caller: Principal, team_id: str, request: PageRequest) -> TransactionList:
        """The ledger, newest first. Plain calls are not in it: their records explain the rest of the balance."""
        team = reachable(caller, team_id, Action.CREDITS_READ)
        page = repository.transactions(team.uid, request)
        return TransactionList(
            team_id=team.team_id,
            total=repository.find(team.uid).entries,
            transactions=[TransactionEntry.of(entry, team.team_id, team.organization_id) for entry in page.entries],
            next_cursor=page.next_cursor,
        )


@cache
def credit_service() -> CreditService:
    return CreditService()
