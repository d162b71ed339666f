"""Jobs in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from pynamodb.expressions.condition import Condition, size

from tollgate.core import clock, ids
from tollgate.core.money import ZERO
from tollgate.core.pagination import Page, PageRequest
from tollgate.jobs.items import JobCallItem, JobCounterItem, JobItem
from tollgate.jobs.model import Job, JobFilter, JobStatus, Tally
from tollgate.limits.account_items import due_text
from tollgate.limits.model import Scope
from tollgate.table import keys
from tollgate.table.base import GSI1, GSI2, Item
from tollgate.table.transactions import Work

# What every job id comes after, and what it comes before.
_FIRST_ID, _LAST_ID = "0", "g"
# One more than the longest page.
_STREAM_PAGE = 101


@dataclass(frozen=True, slots=True)
class JobCallRecord:
    """What the record of a job's call says; ``model`` is what was asked for."""

    call_id: str
    purpose: str | None
    call_metadata: dict[str, Any] | None
    model: str
    model_used: str | None
    provider: str | None
    outcome: str
    error: str | None
    started_at: datetime
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    provider_cost_usd: Decimal
    latency_ms: int | None


def find(job_id: str) -> Job | None:
    item = JobItem.find(keys.job(job_id), keys.ENTITY)
    return _job(item) if item else None


def tally(job_id: str) -> Tally:
    """What the job's calls have come to, exactly: the counter is read strongly consistent."""
    item = JobCounterItem.find(keys.account(job_id), keys.counter())
    if item is None:
        return Tally()
    return Tally(
        calls=item.cn,
        failed=item.jf,
        running=len(item.h),
        tokens=item.tk,
        cost_usd=item.us,
        latency_ms=item.lm,
        promised=item.pr,
        account_uid=item.ac,
    )


def search(team_uid: str, request: PageRequest, wanted: JobFilter) -> Page[Job]:
    """A page of a team's jobs by their time of creation."""
    page = JobItem.page(
        keys.jobs_of(team_uid, wanted.status),
        request,
        scope=f"jobs|{wanted}",
        index=GSI2 if wanted.status else GSI1,
        prefix=_created(wanted),
        newest_first=wanted.newest_first,
    )
    return Page([_job(item) for item in page.entries], page.next_cursor)


def stream(team_uid: str, wanted: JobFilter, begin: str | None) -> Iterator[Job]:
    """A team's jobs one after the other in the order that is wanted, from the job id ``begin`` on, if there is one."""
    rows = JobItem.query(
        keys.jobs_of(team_uid, wanted.status),
        _created(wanted, begin),
        index_name=GSI2 if wanted.status else GSI1,
        scan_index_forward=not wanted.newest_first,
        page_size=_STREAM_PAGE,
    )
    yield from (_job(item) for item in rows)


def is_any_open(team_uid: str) -> bool:
    """Whether a team has jobs that are not over."""
    return any(
        next(iter(JobItem.all_of(keys.jobs_of(team_uid, status), index=GSI2)), None)
        for status in (JobStatus.PENDING, JobStatus.IN_PROGRESS)
    )


def calls(job_id: str, request: PageRequest) -> Page[JobCallRecord]:
    """A page of the job's calls, oldest first, some moments after they ended."""
    page = JobCallItem.page(keys.calls_in(job_id), request, scope="calls", index=GSI2)
    return Page([_call(item) for item in page.entries], page.next_cursor)


def provider_cost(job_id: str) -> Decimal:
    """What providers bill for all the job's calls, in USD."""
    records = JobCallItem.all_of(keys.calls_in(job_id), index=GSI2)
    return sum((item.provider_cost_usd or ZERO for item in records), ZERO)


def last_call_at(job_id: str) -> datetime | None:
    """When the latest call of the job began, if there is one."""
    page = JobCallItem.page(keys.calls_in(job_id), PageRequest(1), scope="last", index=GSI2, newest_first=True)
    return clock.from_stored(page.entries[0].started_at) if page.entries else None


def create(work: Work, job: Job, due_at: datetime) -> None:
    """Adds a new job and the counter of its calls; ``due_at`` is when somebody looks whether it is still alive."""
    created_at = clock.to_stored(job.created_at)
    work.create(
        JobItem(
            PK=keys.job(job.job_id),
            SK=keys.ENTITY,
            GSI1PK=keys.jobs_of(job.team_uid),
            GSI1SK=job.job_id,
            GSI2PK=keys.jobs_of(job.team_uid, job.status),
            GSI2SK=job.job_id,
            DUEPK=keys.zombies(zlib.crc32(job.job_id.encode()) % keys.ZOMBIE_PARTITIONS),
            DUESK=due_text(int(due_at.timestamp())),
            kind="job",
            key_id=job.key_id,
            status=job.status.value,
            metadata=job.metadata,
            created_at=created_at,
            updated_at=created_at,
            **_whose(job),
        )
    )
    zeros: dict[str, Any] = {"us": ZERO, "tk": 0, "cn": 0, "jf": 0, "lm": 0, "pr": ZERO}
    work.create(
        JobCounterItem(
            PK=keys.account(job.job_id),
            SK=keys.counter(),
            # Not a "counter": alerts do not look at it.
            kind="job_counter",
            h={},
            scope=Scope.JOB.value,
            scope_id=job.job_id,
            **zeros,
            **_whose(job),
        )
    )


def _whose(job: Job) -> dict[str, Any]:
    """What the job's record and its counter both say: stream and sweeper see one of them only."""
    return {
        "job_id": job.job_id,
        "job_type": job.job_type,
        "team_id": job.team_id,
        "team_uid": job.team_uid,
        "organization_id": job.organization_id,
        "organization_uid": job.organization_uid,
        "user_id": job.user_id,
    }


def set_metadata(work: Work, job: Job, metadata: dict[str, Any], at: datetime) -> None:
    """Replaces the metadata; loses the race if the job was changed meanwhile."""
    item = _place(job)
    work.update(item, item.changes({"metadata": metadata, "updated_at": clock.to_stored(at)}))


def end(work: Work, job: Job, counted: Tally) -> None:
    """Writes a job as it has ended, and closes its counter.

    Loses the race if the job was changed meanwhile, or if a call of it has begun or ended since it was counted.
    """
    assert job.completed_at is not None
    item = _place(job)
    changes = {
        "status": job.status.value,
        "GSI2PK": keys.jobs_of(job.team_uid, job.status),
        "DUEPK": None,
        "DUESK": None,
        "metadata": job.metadata,
        "error_message": job.error_message,
        "updated_at": clock.to_stored(job.updated_at),
        "completed_at": clock.to_stored(job.completed_at),
        "credit_applied": job.credit_applied,
        "credits_charged": job.credits_charged,
        "unbilled_cost_usd": job.unbilled_cost_usd,
        "costs": job.costs,
    }
    work.update(item, item.changes(changes))
    same = JobCounterItem.cl.does_not_exist() & (size(JobCounterItem.h) == 0)  # type: ignore[no-untyped-call]
    same &= (JobCounterItem.cn == counted.calls) & (JobCounterItem.pr == counted.promised)
    counter = JobCounterItem(PK=keys.account(job.job_id), SK=keys.counter())
    work.update(counter, [JobCounterItem.cl.set(job.status.value)], same, versioned=False)


def set_refunded(work: Work, job: Job, at: datetime) -> None:
    """Notes that what the job was charged has been given back. Loses the race if the job was changed meanwhile."""
    item = _place(job)
    work.update(item, item.changes({"credit_applied": False, "updated_at": clock.to_stored(at)}))


def due(now: datetime) -> Iterator[str]:
    """Ids of the open jobs that somebody has to look at, by the sparse index."""
    latest = due_text(int(now.timestamp()))
    for partition in range(keys.ZOMBIE_PARTITIONS):
        for row in Item.due.query(keys.zombies(partition), latest >= Item.DUESK):
            yield row.PK.removeprefix(keys.job(""))


def look_again(job: Job, due_at: datetime, idle_since: datetime | None) -> None:
    """Puts the next look at an open job off. Raises LostRaceError if the job was changed meanwhile."""
    item = _place(job)
    idle = clock.to_stored(idle_since) if idle_since is not None else None
    work = Work()
    work.update(item, item.changes({"DUESK": due_text(int(due_at.timestamp())), "idle_since": idle}))
    work.commit()


def _place(job: Job) -> JobItem:
    return JobItem(PK=keys.job(job.job_id), SK=keys.ENTITY, version=job.version)


def _created(wanted: JobFilter, begin: str | None = None) -> Condition:
    """The ids of jobs that were created on the days that are wanted: an id begins with its time."""
    key = JobItem.GSI2SK if wanted.status else JobItem.GSI1SK
    first = ids.time_prefix(_midnight(wanted.first)) if wanted.first else _FIRST_ID
    last = ids.time_prefix(_midnight(wanted.last + timedelta(days=1))) if wanted.last else _LAST_ID
    if begin is not None and wanted.newest_first:
        last = min(last, begin)
    elif begin is not None:
        first = max(first, begin)
    return key.between(first, max(first, last))


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)


def _job(item: JobItem) -> Job:
    return Job(
        job_id=item.job_id,
        team_id=item.team_id,
        team_uid=item.team_uid,
        organization_id=item.organization_id,
        organization_uid=item.organization_uid,
        user_id=item.user_id,
        key_id=item.key_id,
        job_type=item.job_type,
        status=JobStatus(item.status),
        metadata=item.metadata,
        error_message=item.error_message,
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        started_at=clock.from_stored(item.started_at) if item.started_at else None,
        completed_at=clock.from_stored(item.completed_at) if item.completed_at else None,
        models=tuple(str(name) for name in item.model_groups_used),
        credit_applied=item.credit_applied,
        credits_charged=item.credits_charged,
        unbilled_cost_usd=item.unbilled_cost_usd,
        costs=item.costs,
        idle_since=clock.from_stored(item.idle_since) if item.idle_since else None,
        version=item.version,
    )


def _call(item: JobCallItem) -> JobCallRecord:
    return JobCallRecord(
        call_id=item.call_id,
        purpose=item.purpose,
        call_metadata=item.call_metadata,
        model=item.requested_model,
        model_used=item.model_used,
        provider=item.provider,
        outcome=item.outcome,
        error=item.error,
        started_at=clock.from_stored(item.started_at),
        input_tokens=item.input_tokens,
        output_tokens=item.output_tokens,
        cost_usd=item.cost_usd,
        provider_cost_usd=item.provider_cost_usd or ZERO,
        latency_ms=item.latency_ms,
    )
