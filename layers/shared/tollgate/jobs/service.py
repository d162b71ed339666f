"""Use cases of jobs. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from tollgate.audit import repository as audit
from tollgate.auth.policy import GRANTS, Action
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.fields import merged_metadata
from tollgate.core.pagination import PageRequest
from tollgate.credits import repository as credits
from tollgate.credits.access import payer_of
from tollgate.credits.booking import insufficient
from tollgate.jobs import closing, repository
from tollgate.jobs.access import reachable
from tollgate.jobs.model import (
    CompleteJob,
    CostBreakdown,
    CreateJob,
    Ending,
    Job,
    JobAnswer,
    JobCall,
    JobCosts,
    JobCostsAnswer,
    JobCreated,
    JobMetadata,
    JobStatus,
    JobSummary,
    Tally,
    UpdateJobMetadata,
)
from tollgate.jobs.pricing import MINIMUM_CREDITS
from tollgate.jobs.repository import JobCallRecord
from tollgate.limits.account import LimitMode
from tollgate.settings import settings
from tollgate.table.transactions import Work, retried
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.teams.model import Team


@dataclass(frozen=True, slots=True)
class JobService:
    """What can be done with one job; every method checks the caller's right over the very job."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateJob) -> JobCreated:
        """A new job, ``pending`` until its first call; nothing is charged or held for it yet.

        Raises InsufficientCreditsError if its team could not pay for it (Q-17).
        """
        team, now = team_access.reachable(caller, request.team_id, Action.JOB_WRITE), self.clock()
        _check_credits(team, now)
        job = _draft(caller, team, request, now)
        work = Work()
        teams.require(work, team)
        repository.create(work, job, now + timedelta(hours=settings().job_idle_hours))
        if caller.key_id is None:
            audit.append(work, closing.event_of(caller, job, "created", now))
        work.commit()
        return JobCreated(job_id=job.job_id, status=job.status, created_at=job.created_at)

    def find(self, job_id: str) -> Job | None:
        """The job, whoever asks."""
        return repository.find(job_id)

    def details(self, caller: Principal, job_id: str) -> JobAnswer:
        """The job with what it cost so far and its first calls."""
        reached = reachable(caller, job_id, Action.JOB_READ)
        return _answer(caller, reached.job, reached.team)

    def complete(self, caller: Principal, job_id: str, request: CompleteJob) -> JobAnswer:
        """Ends a job as its team says, and charges for it. Asked for again it changes nothing (D-30)."""
        ending = Ending(JobStatus(request.status), request.error_message, request.metadata or {})
        return self._end(caller, job_id, ending)

    def cancel(self, caller: Principal, job_id: str) -> JobAnswer:
        """Ends a job that nobody wants any more; it is never charged (D-31)."""
        return self._end(caller, job_id, Ending(JobStatus.CANCELLED))

    def _end(self, caller: Principal, job_id: str, ending: Ending) -> JobAnswer:
        def end() -> JobAnswer:
            reached = reachable(caller, job_id, Action.JOB_WRITE)
            ended = closing.end(caller, reached.job, reached.team, ending, self.clock())
            return _answer(caller, ended, reached.team)

        return retried(end, attempts=closing.ATTEMPTS)

    def update_metadata(self, caller: Principal, job_id: str, request: UpdateJobMetadata) -> JobMetadata:
        """Merges fields into the job's metadata, of a job that has ended as well."""
        return retried(lambda: self._update_metadata(caller, job_id, request), attempts=closing.ATTEMPTS)

    def _update_metadata(self, caller: Principal, job_id: str, request: UpdateJobMetadata) -> JobMetadata:
        job, now = reachable(caller, job_id, Action.JOB_WRITE).job, self.clock()
        metadata = merged_metadata(job.metadata, request.metadata)
        work = Work()
        repository.set_metadata(work, job, metadata, now)
        if caller.key_id is None:
            audit.append(work, closing.event_of(caller, job, "updated", now))
        work.commit()
        return JobMetadata(job_id=job_id, metadata=metadata, updated_at=now)

    def costs(self, caller: Principal, job_id: str, request: PageRequest) -> JobCostsAnswer:
        """What the job cost, call by call."""
        job = reachable(caller, job_id, Action.JOB_READ).job
        total = (job.costs or repository.tally(job_id).costs(None)).total_cost_usd
        provider_cost = _provider_cost(caller, job_id)
        page = repository.calls(job_id, request)
        return JobCostsAnswer(
            job_id=job_id,
            team_id=job.team_id,
            job_type=job.job_type,
            status=job.status,
            costs=CostBreakdown(
                total_cost_usd=total,
                provider_cost_usd=provider_cost,
                profit_usd=_profit(total, provider_cost),
                breakdown=[_call(caller, call) for call in page.entries],
            ),
            next_cursor=page.next_cursor,
        )


def _check_credits(team: Team, now: datetime) -> None:
    """At least one credit has to be there, whether or not it is held at the moment (Q-17)."""
    payer = payer_of(team)
    if payer is None or payer.settings.limit_mode is LimitMode.UNLIMITED:
        return
    account = credits.find(payer.uid, payer.counter_items)
    short = payer.settings.limit_mode is LimitMode.HARD and account.remaining < MINIMUM_CREDITS
    if short or payer.settings.suspended(account.available, now):
        raise insufficient(payer, account, MINIMUM_CREDITS)


def _draft(caller: Principal, team: Team, request: CreateJob, now: datetime) -> Job:
    return Job(
        job_id=ids.new_call_id(int(now.timestamp() * 1000)),
        team_id=team.team_id,
        team_uid=team.uid,
        organization_id=team.organization_id,
        organization_uid=team.organization_uid,
        user_id=request.user_id,
        key_id=caller.key_id,
        job_type=request.job_type,
        status=JobStatus.PENDING,
        metadata=request.metadata,
        created_at=now,
        updated_at=now,
    )


def _answer(caller: Principal, job: Job, team: Team) -> JobAnswer:
    counted = Tally()
    costs = job.costs
    if costs is None:
        payer = payer_of(team)
        account = credits.find(payer.uid, payer.counter_items) if payer else None
        counted = repository.tally(job.job_id)
        costs = counted.costs(account.remaining if account else None)
    provider_cost = _provider_cost(caller, job.job_id)
    shown: dict[str, Any] = {name: getattr(costs, name) for name in _COSTS}
    return JobAnswer(
        **JobSummary.of(job).model_dump(),
        updated_at=job.updated_at,
        error_message=job.error_message,
        metadata=job.metadata,
        model_groups_used=list(job.models),
        credits_reserved=counted.promised,
        costs=JobCosts(
            **shown,
            credit_applied=job.credit_applied,
            provider_cost_usd=provider_cost,
            profit_usd=_profit(costs.total_cost_usd, provider_cost),
        ),
        calls=[_call(caller, call) for call in repository.calls(job.job_id, PageRequest()).entries],
    )


_COSTS = (
    "total_calls",
    "successful_calls",
    "failed_calls",
    "total_tokens",
    "total_cost_usd",
    "avg_latency_ms",
    "credits_remaining",
)


def _is_inside(caller: Principal) -> bool:
    """What providers bill is the platform's own business (D-39)."""
    return caller.platform_role in GRANTS[Action.COSTS_READ]


def _provider_cost(caller: Principal, job_id: str) -> Decimal | None:
    return repository.provider_cost(job_id) if _is_inside(caller) else None


def _profit(cost: Decimal, provider_cost: Decimal | None) -> Decimal | None:
    return cost - provider_cost if provider_cost is not None else None


def _call(caller: Principal, call: JobCallRecord) -> JobCall:
    inside = _is_inside(caller)
    return JobCall(
        call_id=call.call_id,
        purpose=call.purpose,
        call_metadata=call.call_metadata,
        model=call.model,
        model_group=call.model,
        outcome=call.outcome,
        prompt_tokens=call.input_tokens,
        completion_tokens=call.output_tokens,
        tokens=call.input_tokens + call.output_tokens,
        cost_usd=call.cost_usd,
        latency_ms=call.latency_ms,
        error=call.error,
        created_at=call.started_at,
        model_used=call.model_used if inside else None,
        provider=call.provider if inside else None,
        provider_cost_usd=call.provider_cost_usd if inside else None,
        profit_usd=call.cost_usd - call.provider_cost_usd if inside else None,
    )


@cache
def job_service() -> JobService:
    return JobService()
