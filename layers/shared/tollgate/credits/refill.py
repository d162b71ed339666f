"""What time does to accounts: automatic refills, and grace periods that begin when an account is used up.

Any number of these may run at once and stop anywhere: each change is one transaction with the owner's version in its
condition, and the refill of a period leaves a marker that there is only one of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial

from tollgate.audit import repository as audit
from tollgate.auth.principal import ActorKind, Principal
from tollgate.core import clock
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import TollgateError
from tollgate.credits import repository
from tollgate.credits.access import change_settings, event_of
from tollgate.credits.booking import ATTEMPTS, booking
from tollgate.credits.model import AccountOwner, Cause, TransactionType
from tollgate.organizations import repository as organizations
from tollgate.table.transactions import Work, retried
from tollgate.telemetry import Event, logger

SYSTEM = Principal(actor="system", kind=ActorKind.SYSTEM)


@dataclass(slots=True)
class Tended:
    """What one run did, and how many accounts it could not look after."""

    accounts: int = 0
    refills: int = 0
    graces: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class RefillService:
    """Looks after every account that is due."""

    clock: Clock = utc_now

    def run(self) -> Tended:
        """One run. An account that fails does not keep the others waiting; it is due again the next time."""
        done = Tended()
        for place in repository.due_accounts(self.clock()):
            done.accounts += 1
            try:
                retried(partial(self._tend, place, done), attempts=ATTEMPTS)
            except TollgateError as error:
                done.failed += 1
                logger.error(Event.ACCOUNT_UNTENDED, extra={"account_of": place, "reason": error.message})
        return done

    def _tend(self, place: str, done: Tended) -> None:
        """Does what is due by the owner as it is now: whoever was quicker has moved that."""
        owner, now = repository.owner_at(place), self.clock()
        if owner is None:
            return
        due = owner.settings.next_refill_at
        if due is not None and due <= now:
            self._refill(owner, now)
            done.refills += 1
        elif owner.settings.watched:
            done.graces += self._watch(owner, now)

    @staticmethod
    def _refill(owner: AccountOwner, now: datetime) -> None:
        """The refill of the period of ``now``. Periods that were missed are over, and so are their refills."""
        settings = owner.settings
        if settings.refill_period is None or settings.refill_amount is None:
            raise AssertionError
        reason = f"Auto-refill: {settings.refill_period}"
        line = booking(owner, TransactionType.REFILL, settings.refill_amount, reason=reason, actor=SYSTEM.actor, at=now)
        refilled = settings.refilled(now)
        if line.ends_grace:
            refilled = replace(refilled, grace_until=None)
        entry = line.entry
        event = event_of(
            SYSTEM,
            owner,
            "credits_refilled",
            now,
            after={"credits_amount": entry.amount, "transaction_id": entry.transaction_id},
        )
        period = f"{settings.refill_period.duration}@{settings.refill_period.window(now).name}"
        work = Work()
        repository.book(work, line, Cause("REFILL", period))
        change_settings(work, owner, refilled, event)
        if owner.team is not None:
            # Leaving or not: what goes to the team goes again when the team goes.
            organizations.count_teams(
                work, owner.organization_id, owner.organization_uid, allocated=line.allocated, leaving=True
            )
        audit.append(work, event)
        work.commit()

    @staticmethod
    def _watch(owner: AccountOwner, now: datetime) -> bool:
        """Begins the grace period of an account that is used up, or ends it; whether either happened."""
        settings = owner.settings.graced(repository.find(owner.uid, owner.counter_items).remaining, now)
        if settings == owner.settings:
            return False
        verb = "credits_grace_begun" if settings.grace_until else "credits_grace_ended"
        after = {"grace_until": clock.to_wire(settings.grace_until)} if settings.grace_until else {}
        event = event_of(SYSTEM, owner, verb, now, after=after)
        work = Work()
        change_settings(work, owner, settings, event)
        audit.append(work, event)
        work.commit()
        return True


@cache
def refill_service() -> RefillService:
    return RefillService()
