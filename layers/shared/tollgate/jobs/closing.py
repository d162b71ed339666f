"""The end of a job: its figures, what is charged for it, and the one transaction of both (contract 2.4, D-6, Q-17)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.principal import Principal
from tollgate.core.errors import WrongStateError
from tollgate.core.fields import merged_metadata
from tollgate.core.money import ZERO
from tollgate.credits import promises
from tollgate.credits.access import payer_of
from tollgate.credits.model import AccountOwner
from tollgate.credits.promises import EndedJob
from tollgate.jobs import repository
from tollgate.jobs.model import Ending, Job, JobStatus, Tally
from tollgate.jobs.pricing import credits_of_job
from tollgate.organizations import repository as organizations
from tollgate.table.transactions import Work
from tollgate.teams.model import DEFAULT_CREDITS_PER_DOLLAR, DEFAULT_TOKENS_PER_CREDIT, Team

# Jobs of one account that end at the same moment wait for one another, as all entries of one ledger do.
ATTEMPTS = 20


def end(caller: Principal, job: Job, team: Team | None, ending: Ending, now: datetime) -> Job:
    """Ends a job and charges for it; the job as it is then. One that has ended so already stays as it is (D-30).

    Completed jobs are charged unless a call has failed; everything else gives its credits back, and what it cost is
    noted as unbilled. Raises WrongStateError for a job that has ended otherwise, or while a call of it is running;
    LostRaceError if the job, a call of it or the account changed meanwhile.
    """
    if job.status is ending.status:
        return job
    if not job.status.is_open:
        raise WrongStateError(f"Job is {job.status}", code="job_closed")
    counted = repository.tally(job.job_id)
    if counted.running:
        raise WrongStateError("A call of the job is still running", code="calls_in_flight")
    payer = _payer(job, team, counted)
    work = Work()
    charged, remaining = ZERO, None
    if payer is not None:
        paid = promises.payment(payer, _ended(caller, job, team, ending, counted, now))
        promises.pay(work, paid)
        charged, remaining = paid.charged, paid.remaining
    ended = replace(
        job,
        status=ending.status,
        metadata=merged_metadata(job.metadata, ending.metadata),
        error_message=ending.error_message,
        updated_at=now,
        completed_at=now,
        credit_applied=charged > ZERO,
        credits_charged=charged,
        # Where nobody pays with credits, nothing goes unbilled either.
        unbilled_cost_usd=counted.cost_usd if payer is not None and not charged else ZERO,
        costs=counted.costs(remaining),
    )
    repository.end(work, ended, counted)
    if caller.key_id is None:
        # A team's own key leaves its traces in job and ledger; whoever acts for the platform is audited.
        audit.append(work, event_of(caller, ended, ending.status.value, now))
    work.commit()
    return ended


def event_of(caller: Principal, job: Job, verb: str, at: datetime) -> AuditEvent:
    """The audit event of something that was done to a job."""
    return AuditEvent(
        caller=caller,
        action=f"job.{verb}",
        resource_type="job",
        resource_id=job.job_id,
        at=at,
        organization_id=job.organization_id,
        organization_uid=job.organization_uid,
        after={"team_id": job.team_id, "job_type": job.job_type, "credits_charged": job.credits_charged},
    )


def _ended(  # noqa: PLR0913, PLR0917
    caller: Principal, job: Job, team: Team | None, ending: Ending, counted: Tally, now: datetime
) -> EndedJob:
    return EndedJob(
        job_id=job.job_id,
        reason=f"Job {job.job_type} completed successfully",
        actor=caller.actor,
        at=now,
        promised=counted.promised,
        due=_due(team, ending, counted),
        promised_at=job.started_at or now,
    )


def _due(team: Team | None, ending: Ending, counted: Tally) -> Decimal:
    """Credits that the job costs, by the mode that its team has now (contract 2.4, 3.2)."""
    if team is None or ending.status is not JobStatus.COMPLETED:
        return ZERO
    if counted.failed and not team.charge_failed_jobs:
        return ZERO
    return credits_of_job(
        team.budget_mode,
        counted.cost_usd,
        counted.tokens,
        team.credits_per_dollar or DEFAULT_CREDITS_PER_DOLLAR,
        team.tokens_per_credit or DEFAULT_TOKENS_PER_CREDIT,
    )


def _payer(job: Job, team: Team | None, counted: Tally) -> AccountOwner | None:
    """Whose account pays: that of the first call that paid, else the one that would pay now; None: nobody's."""
    if counted.account_uid is None:
        return payer_of(team) if team is not None else None
    if team is not None and team.uid == counted.account_uid:
        return AccountOwner(team=team)
    organization = organizations.find(job.organization_id) if job.organization_id is not None else None
    if organization is not None and organization.uid == counted.account_uid:
        return AccountOwner(organization=organization)
    return None
