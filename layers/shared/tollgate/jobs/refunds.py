"""Giving back what a job was charged: the ledger's entry and the job in one transaction (contract 2.4, Refund)."""

from __future__ import annotations

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.credits.model import RefundCredits, TransactionEntry
from tollgate.credits.movements import movement_service
from tollgate.jobs import repository
from tollgate.jobs.access import reachable
from tollgate.table.idempotency import Once


def refund(caller: Principal, request: RefundCredits, once: Once | None = None) -> TransactionEntry:
    """As ``credits.movements`` does it; a job that is named is not charged any more.

    Raises NotFoundError for an unknown job, else as that does.
    """
    if request.job_id is None:
        return movement_service().refund(caller, request, once)
    job_id = request.job_id
    reachable(caller, job_id, Action.CREDITS_REFUND)
    return movement_service().refund(
        caller,
        request,
        once,
        lambda work, at: repository.set_refunded(work, reachable(caller, job_id, Action.CREDITS_REFUND).job, at),
    )
