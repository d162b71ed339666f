"""Jobs as requests, answers and domain objects (contract 1.4, decisions section 7 Job)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, Field, StringConstraints

from tollgate.core.fields import Amount, Metadata, RequestModel, ResponseModel, Timestamp
from tollgate.core.money import ZERO


class JobStatus(StrEnum):
    """``pending`` until the first call, then ``in_progress``; the others are final (contract 2.3)."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        return self in {JobStatus.PENDING, JobStatus.IN_PROGRESS}


@dataclass(frozen=True, slots=True)
class Costs:
    """What a job's calls came to: USD are client cost, ``avg_latency_ms`` is of those that succeeded.

    ``credits_remaining`` is of the account that pays, None where none does.
    """

    total_calls: int = 0
    failed_calls: int = 0
    total_tokens: int = 0
    total_cost_usd: Decimal = ZERO
    avg_latency_ms: int = 0
    credits_remaining: Decimal | None = None

    @property
    def successful_calls(self) -> int:
        return self.total_calls - self.failed_calls


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job. ``costs`` is None until it has ended; ``models`` are those that its calls asked for.

    ``idle_since`` is set where the job could not go on before, because its team was not active.
    """

    job_id: str
    team_id: str
    team_uid: str
    organization_id: str | None
    organization_uid: str | None
    user_id: str | None
    key_id: str | None
    job_type: str
    status: JobStatus
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    error_message: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    models: tuple[str, ...] = ()
    credit_applied: bool = False
    credits_charged: Decimal = ZERO
    unbilled_cost_usd: Decimal = ZERO
    costs: Costs | None = None
    idle_since: datetime | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What a job's counter says: ``calls`` have been settled, ``running`` are in flight.

    ``promised`` credits are held for the job in the account of ``account_uid``, which its first paying call found.
    """

    calls: int = 0
    failed: int = 0
    running: int = 0
    tokens: int = 0
    cost_usd: Decimal = ZERO
    latency_ms: int = 0
    promised: Decimal = ZERO
    account_uid: str | None = None

    def costs(self, credits_remaining: Decimal | None) -> Costs:
        answered = self.calls - self.failed
        return Costs(
            total_calls=self.calls,
            failed_calls=self.failed,
            total_tokens=self.tokens,
            total_cost_usd=self.cost_usd,
            avg_latency_ms=self.latency_ms // answered if answered else 0,
            credits_remaining=credits_remaining,
        )


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs are asked for: created on these days (UTC, both included), in this status; newest first or not."""

    first: date | None = None
    last: date | None = None
    status: JobStatus | None = None
    newest_first: bool = True


Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$")]
_METADATA = AliasChoices("metadata", "job_metadata")


class CreateJob(RequestModel):
    """``metadata`` is also known as ``job_metadata`` (D-38)."""

    team_id: Annotated[str, Field(min_length=1, max_length=256)]
    job_type: Annotated[Text, Field(min_length=1, max_length=100, examples=["resume_analysis"])]
    user_id: Annotated[Text | None, Field(min_length=1, max_length=256)] = None
    metadata: Annotated[Metadata, Field(validation_alias=_METADATA, default_factory=dict)]


class CompleteJob(RequestModel):
    """``metadata`` is merged into what there is; cancelling has its own endpoint (D-31)."""

    status: Literal["completed", "failed"]
    metadata: Annotated[Metadata | None, Field(validation_alias=_METADATA)] = None
    error_message: Annotated[str | None, Field(max_length=1000)] = None


class UpdateJobMetadata(RequestModel):
    metadata: Annotated[Metadata, Field(validation_alias=_METADATA)]


class JobQuery(BaseModel):
    """Of a list of jobs. Dates are days in UTC, both included."""

    start_date: date | None = None
    end_date: date | None = None
    sort_by: Literal["created_at"] = "created_at"
    order: Literal["asc", "desc"] = "desc"
    status: JobStatus | None = None

    def filter(self) -> JobFilter:
        return JobFilter(self.start_date, self.end_date, self.status, self.order == "desc")


class JobCreated(ResponseModel):
    job_id: str
    status: JobStatus
    created_at: Timestamp


class JobSummary(ResponseModel):
    """An entry of a list."""

    job_id: str
    team_id: str
    organization_id: str | None
    user_id: str | None
    job_type: str
    status: JobStatus
    created_at: Timestamp
    started_at: Timestamp | None
    completed_at: Timestamp | None
    credit_applied: bool
    credits_charged: Amount
    unbilled_cost_usd: Amount

    @classmethod
    def of(cls, job: Job) -> JobSummary:
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class JobCall(ResponseModel):
    """A call of a job. ``model`` and ``model_group`` are what was asked for (D-14).

    ``model_used``, ``provider``, ``provider_cost_usd`` and ``profit_usd`` are shown to the platform's own people only.
    """

    call_id: str
    purpose: str | None
    call_metadata: dict[str, Any] | None
    model: str
    model_group: str
    outcome: str
    prompt_tokens: int
    completion_tokens: int
    tokens: int
    cost_usd: Amount
    latency_ms: int | None
    error: str | None
    created_at: Timestamp
    model_used: str | None
    provider: str | None
    provider_cost_usd: Amount | None
    profit_usd: Amount | None


class JobCosts(ResponseModel):
    """What a job came to so far. ``total_cost_usd`` is client cost.

    ``credits_remaining`` is of the paying account: now, or when the job ended; null where nobody pays.
    ``provider_cost_usd`` and ``profit_usd`` are shown to the platform's own people only.
    """

    total_calls: int
    successful_calls: int
    failed_calls: int
    total_tokens: int
    total_cost_usd: Amount
    avg_latency_ms: int
    credit_applied: bool
    credits_remaining: Amount | None
    provider_cost_usd: Amount | None
    profit_usd: Amount | None


class JobAnswer(JobSummary):
    """A job in full, with its first hundred calls, oldest first.

    ``credits_reserved`` are held for it until it ends; ``unbilled_cost_usd`` is what it cost if it ended uncharged.
    """

    updated_at: Timestamp
    error_message: str | None
    metadata: dict[str, Any]
    model_groups_used: list[str]
    credits_reserved: Amount
    costs: JobCosts
    calls: list[JobCall]


class JobMetadata(ResponseModel):
    job_id: str
    metadata: dict[str, Any]
    updated_at: Timestamp


class CostBreakdown(ResponseModel):
    """``breakdown`` are calls, oldest first; the sums are of all."""

    total_cost_usd: Amount
    provider_cost_usd: Amount | None
    profit_usd: Amount | None
    breakdown: list[JobCall]


class JobCostsAnswer(ResponseModel):
    job_id: str
    team_id: str
    job_type: str
    status: JobStatus
    costs: CostBreakdown
    next_cursor: str | None = None


class JobList(ResponseModel):
    """``truncated``: the organization has more teams than one list reads."""

    jobs: list[JobSummary]
    next_cursor: str | None = None
    truncated: bool = False


class TeamJobs(ResponseModel):
    """``total`` is of all jobs that the team has had, whatever is asked for, some seconds late (Q-47)."""

    team_id: str
    total: int
    jobs: list[JobSummary]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job is to end."""

    status: JobStatus
    error_message: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
