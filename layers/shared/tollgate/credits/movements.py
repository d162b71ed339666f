"""Use cases that move credits other than by adding: transfer, refund, adjustment. Knows no HTTP and no storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache

from pydantic import BaseModel

from tollgate.audit import repository as audit
from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError, NotFoundError, WrongStateError
from tollgate.core.money import ZERO, plain
from tollgate.credits import repository
from tollgate.credits.access import event_of, reachable
from tollgate.credits.booking import ATTEMPTS, booking, keep_owners, linked
from tollgate.credits.model import (
    AccountOwner,
    AdjustCredits,
    Booking,
    Cause,
    CreditsTransferred,
    Direction,
    OfAccount,
    RefundCredits,
    TransactionEntry,
    TransactionType,
    TransferCredits,
)
from tollgate.credits.promises import charge_of
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.table.idempotency import Once, remember, replayed
from tollgate.table.transactions import Work, retried

_CALL_PREFIX = "chatcmpl-"


@dataclass(frozen=True, slots=True)
class _Charge:
    """What a refund gives back, at most; ``call_id`` and ``transaction_id`` are what the entry refers to."""

    cause: Cause
    credits: Decimal
    call_id: str | None = None
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class MovementService:
    """Each is one transaction: the entries, the balances, the audit events, the answer under an Idempotency-Key."""

    clock: Clock = utc_now

    def transfer(self, caller: Principal, request: TransferCredits, once: Once | None = None) -> CreditsTransferred:
        """Moves credits between a team and its organization, at most what is available: held credits stay (Q-06).

        Down is an organization's admin's to do, up the platform's (Q-08).
        """
        return retried(lambda: self._transfer(caller, request, once), attempts=ATTEMPTS)

    def _transfer(self, caller: Principal, request: TransferCredits, once: Once | None) -> CreditsTransferred:
        down = request.direction is Direction.TO_TEAM
        action = Action.CREDITS_TRANSFER if down else Action.CREDITS_RECLAIM
        team = reachable(caller, OfAccount(team_id=request.team_id), action)
        organization, now = _organization_of(team), self.clock()
        earlier = replayed(once, CreditsTransferred, now)
        if earlier is not None:
            return earlier
        giver, taker = (organization, team) if down else (team, organization)
        taken, given = linked(
            self._line(caller, giver, TransactionType.TRANSFER_OUT, -request.amount, request.description, now),
            self._line(caller, taker, TransactionType.TRANSFER_IN, request.amount, request.description, now),
        )
        of_team, of_organization = (given, taken) if down else (taken, given)
        answer = CreditsTransferred(
            team_id=request.team_id,
            organization_id=str(team.organization_id),
            direction=request.direction,
            credits_transferred=request.amount,
            team_credits_remaining=of_team.entry.after,
            organization_credits_remaining=of_organization.entry.after,
            transactions=[TransactionEntry.of(line.entry, line.owner) for line in (taken, given)],
        )
        self._commit(caller, "credits_transferred", [taken, given], once, answer)
        return answer

    def refund(
        self,
        caller: Principal,
        request: RefundCredits,
        once: Once | None = None,
        also: Callable[[Work, datetime], None] | None = None,
    ) -> TransactionEntry:
        """Gives back what an interrupted call, a job or a deduction charged, or a part of it, once (Q-16).

        ``also`` adds to the transaction. Raises NotFoundError for what does not exist, WrongStateError for what was not
        charged, is not refundable or was refunded.
        """
        return retried(lambda: self._refund(caller, request, once, also), attempts=ATTEMPTS)

    def _refund(
        self,
        caller: Principal,
        request: RefundCredits,
        once: Once | None,
        also: Callable[[Work, datetime], None] | None,
    ) -> TransactionEntry:
        owner, now = reachable(caller, request, Action.CREDITS_REFUND), self.clock()
        earlier = replayed(once, TransactionEntry, now)
        if earlier is not None:
            return earlier
        charge = _charge_of(owner, request)
        amount = charge.credits if request.amount is None else request.amount
        if amount > charge.credits:
            raise InvalidRequestError(f"At most {plain(charge.credits)} credits were charged", param="amount")
        line = booking(
            owner,
            TransactionType.REFUND,
            amount,
            reason=request.reason,
            actor=caller.actor,
            at=now,
            call_id=charge.call_id,
            job_id=request.job_id,
            related_transaction_id=charge.transaction_id,
        )
        answer = TransactionEntry.of(line.entry, owner)
        self._commit(caller, "credits_refunded", [line], once, answer, charge.cause, also)
        return answer

    def adjust(self, caller: Principal, request: AdjustCredits, once: Once | None = None) -> TransactionEntry:
        """Corrects what was allocated, up or down; never below what is available, so no call loses what it holds."""
        return retried(lambda: self._adjust(caller, request, once), attempts=ATTEMPTS)

    def _adjust(self, caller: Principal, request: AdjustCredits, once: Once | None) -> TransactionEntry:
        owner, now = reachable(caller, request, Action.CREDITS_ADJUST), self.clock()
        earlier = replayed(once, TransactionEntry, now)
        if earlier is not None:
            return earlier
        line = self._line(caller, owner, TransactionType.ADJUSTMENT, request.amount, request.reason, now)
        answer = TransactionEntry.of(line.entry, owner)
        self._commit(caller, "credits_adjusted", [line], once, answer)
        return answer

    @staticmethod
    def _line(  # noqa: PLR0913, PLR0917
        caller: Principal,
        owner: AccountOwner,
        transaction_type: TransactionType,
        amount: Decimal,
        reason: str | None,
        now: datetime,
    ) -> Booking:
        return booking(owner, transaction_type, amount, reason=reason, actor=caller.actor, at=now)

    @staticmethod
    def _commit(  # noqa: PLR0913, PLR0917
        caller: Principal,
        verb: str,
        lines: Sequence[Booking],
        once: Once | None,
        answer: BaseModel,
        cause: Cause | None = None,
        also: Callable[[Work, datetime], None] | None = None,
    ) -> None:
        work = Work()
        if also is not None:
            also(work, lines[0].entry.created_at)
        for line in lines:
            repository.book(work, line, cause, otherwise=_refunded_already())
            after = {"credits_amount": line.entry.amount, "transaction_id": line.entry.transaction_id}
            audit.append(work, event_of(caller, line.owner, verb, line.entry.created_at, after=after))
        keep_owners(work, lines)
        remember(work, once, answer, lines[0].entry.created_at)
        work.commit()


def _organization_of(team: AccountOwner) -> AccountOwner:
    """The account on the other side of a team's transfers."""
    organization = organizations.find(team.organization_id) if team.organization_id else None
    if team.organization_id is None:
        raise WrongStateError(f"Team '{team.team_id}' has no organization", code="no_organization")
    if organization is None or organization.deleting:
        raise NotFoundError(organization_access.missing(team.organization_id))
    return AccountOwner(organization=organization)


def _charge_of(owner: AccountOwner, request: RefundCredits) -> _Charge:
    named = [name for name in ("call_id", "job_id", "transaction_id") if getattr(request, name) is not None]
    if len(named) != 1:
        message = "Say what is refunded by one of call_id, job_id and transaction_id"
        raise InvalidRequestError(message, param=named[-1] if named else "call_id")
    if request.job_id is not None:
        charge = _charge_of_job(owner, request.job_id)
    elif request.call_id is not None:
        charge = _charge_of_call(owner, request.call_id.removeprefix(_CALL_PREFIX))
    else:
        charge = _charge_of_transaction(owner, str(request.transaction_id))
    if charge.credits <= ZERO:
        raise WrongStateError("Nothing was charged", code="not_charged")
    return charge


def _charge_of_call(owner: AccountOwner, call_id: str) -> _Charge:
    call = repository.find_call(call_id)
    if call is None or call.account_uid != owner.uid:
        raise NotFoundError(f"Call '{call_id}' not found")
    if not call.interrupted:
        raise WrongStateError("Only an interrupted call is refunded; adjust the account instead", code="not_refundable")
    return _Charge(Cause("REFUND", call.call_id), call.credits, call_id=call.call_id)


def _charge_of_job(owner: AccountOwner, job_id: str) -> _Charge:
    transaction_id = repository.booked(owner.uid, charge_of(job_id))
    if transaction_id is None:
        raise WrongStateError("Nothing was charged", code="not_charged")
    return _charge_of_transaction(owner, transaction_id)


def _charge_of_transaction(owner: AccountOwner, transaction_id: str) -> _Charge:
    entry = repository.find_transaction(owner.uid, transaction_id)
    if entry is None:
        raise NotFoundError(f"Transaction '{transaction_id}' not found")
    if entry.transaction_type is not TransactionType.DEDUCTION:
        raise WrongStateError("Only a deduction is refunded; adjust the account instead", code="not_refundable")
    return _Charge(Cause("REFUND", transaction_id), -entry.amount, transaction_id=transaction_id)


def _refunded_already() -> WrongStateError:
    return WrongStateError("It was refunded before", code="already_refunded")


@cache
def movement_service() -> MovementService:
    return MovementService()
