"""Usage as requests and answers (contract 1.1, 1.2; Q-18, Q-26). Costs are client cost in USD (Q-19)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from tollgate.core import money
from tollgate.core.errors import InvalidRequestError
from tollgate.core.fields import Amount, ResponseModel, Timestamp
from tollgate.usage.figures import Figures

ALL = "all"
MOST_DAYS = 366
MOST_DAYS_OF_HOURS = 31


def _real(period: str) -> str:
    if period != ALL:
        date.fromisoformat(period if len(period) > len("2026-03") else f"{period}-01")
    return period


PeriodText = Annotated[
    str,
    StringConstraints(pattern=r"^(all|[0-9]{4}-[0-9]{2}(-[0-9]{2})?)$"),
    AfterValidator(_real),
    Field(description="a month `YYYY-MM`, a day `YYYY-MM-DD`, or `all`", examples=["2026-03"]),
]


@dataclass(frozen=True, slots=True)
class Days:
    """From ``first`` to ``last``, both included, in UTC."""

    first: date
    last: date


def days_of_period(period: str, since: datetime, today: date) -> Days:
    """The days of a period; ``all`` is from ``since`` to today."""
    if period == ALL:
        return Days(since.astimezone(UTC).date(), today)
    if len(period) > len("2026-03"):
        day = date.fromisoformat(period)
        return Days(day, day)
    first = date.fromisoformat(f"{period}-01")
    return Days(first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))


def days_between(first: date, last: date, most: int = MOST_DAYS) -> Days:
    """Raises InvalidRequestError for a range that ends before it begins, or is longer than ``most`` days."""
    if last < first:
        raise InvalidRequestError("end_date is before start_date", param="end_date")
    if (last - first).days >= most:
        raise InvalidRequestError(f"At most {most} days can be asked for at once", param="end_date")
    return Days(first, last)


class Granularity(StrEnum):
    """Weeks begin on Monday (Q-34)."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class GroupBy(StrEnum):
    DAY = "day"
    MODEL = "model"
    PROVIDER = "provider"
    JOB_TYPE = "job_type"


class UsageScope(StrEnum):
    PLATFORM = "platform"
    ORGANIZATION = "organization"
    TEAM = "team"
    PROJECT = "project"
    USER = "user"
    KEY = "key"
    CUSTOMER = "customer"
    TAG = "tag"


class DirectCalls(ResponseModel):
    """What calls outside jobs used (Q-18)."""

    calls: int
    tokens: int
    cost_usd: Amount
    credits_used: Amount


class JobTypeUsage(ResponseModel):
    """``count`` is the jobs that were made; calls, tokens and cost are of all their calls."""

    count: int
    calls: int
    tokens: int
    cost_usd: Amount
    credits_used: Amount


class OwnerUsage(ResponseModel):
    jobs: int
    calls: int
    tokens: int
    cost_usd: Amount
    credits_used: Amount


class UsageTotals(ResponseModel):
    """Everything in the period, calls outside jobs included; jobs and their split are jobs only (Q-18).

    ``total_jobs`` are all that were made in the period, open ones too; ``success_rate`` is the successful ones of those
    that succeeded or failed (D-29). ``completed_jobs`` is the API reference's name of ``successful_jobs`` (D-27).
    ``unbilled_cost_usd`` is what jobs cost that were not charged (Q-57). ``provider_cost_usd`` is shown to the
    platform's own people only.
    """

    total_jobs: int
    successful_jobs: int
    completed_jobs: int
    failed_jobs: int
    cancelled_jobs: int
    total_calls: int
    failed_calls: int
    total_tokens: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_cost_usd: Amount
    provider_cost_usd: Amount | None
    unbilled_cost_usd: Amount
    credits_used: Amount
    avg_cost_per_job: Amount
    success_rate: Amount
    avg_latency_ms: int

    @classmethod
    def of(cls, figures: Figures, job_cost_usd: Decimal, *, inside: bool) -> UsageTotals:
        """``job_cost_usd`` is what the calls of jobs cost; ``inside``: the reader is of the platform itself."""
        decided = figures.jobs_successful + figures.jobs_failed
        return cls(
            total_jobs=int(figures.jobs),
            successful_jobs=int(figures.jobs_successful),
            completed_jobs=int(figures.jobs_successful),
            failed_jobs=int(figures.jobs_failed),
            cancelled_jobs=int(figures.jobs_cancelled),
            total_calls=int(figures.calls),
            failed_calls=int(figures.errors),
            total_tokens=int(figures.tokens),
            input_tokens=int(figures.input_tokens),
            cached_tokens=int(figures.cached_tokens),
            output_tokens=int(figures.output_tokens),
            reasoning_tokens=int(figures.reasoning_tokens),
            total_cost_usd=figures.cost_usd,
            provider_cost_usd=figures.provider_cost_usd if inside else None,
            unbilled_cost_usd=figures.unbilled_usd,
            credits_used=figures.credits,
            avg_cost_per_job=money.quantise(job_cost_usd / figures.jobs) if figures.jobs else money.ZERO,
            success_rate=money.ratio(figures.jobs_successful, decided) or money.ZERO,
            avg_latency_ms=int(figures.latency_ms / figures.latency_calls) if figures.latency_calls else 0,
        )


class TeamUsage(ResponseModel):
    """``by_job_type`` are counts of jobs; ``job_types`` says the same with costs (D-27)."""

    team_id: str
    period: str
    summary: UsageTotals
    direct_calls: DirectCalls
    by_job_type: dict[str, int]
    job_types: dict[str, JobTypeUsage]
    as_of: Timestamp


class OrganizationUsageReport(ResponseModel):
    """``teams`` is the API reference's name of ``by_team`` (D-27). Calls of no team are under ``Unassigned``."""

    organization_id: str
    period: str
    summary: UsageTotals
    direct_calls: DirectCalls
    by_team: dict[str, OwnerUsage]
    teams: dict[str, OwnerUsage]
    by_job_type: dict[str, JobTypeUsage]
    as_of: Timestamp


class TimelinePoint(ResponseModel):
    """``date`` is the first day, or the hour, that the point stands for."""

    date: str
    jobs: int
    calls: int
    tokens: int
    cost_usd: Amount
    credits_used: Amount


class Timeline(ResponseModel):
    """A point for every hour, day, week or month of the range, those without calls too."""

    granularity: Granularity
    start_date: str
    end_date: str
    points: list[TimelinePoint]
    as_of: Timestamp


class UsageGroup(ResponseModel):
    """``key`` is a day, model, provider or job type; null for calls outside jobs."""

    key: str | None
    usage: UsageTotals


class Breakdown(ResponseModel):
    """``total`` is of the whole range, whatever page is shown."""

    scope: UsageScope
    id: str | None
    start_date: str
    end_date: str
    group_by: GroupBy
    total: UsageTotals
    groups: list[UsageGroup]
    next_cursor: str | None
    as_of: Timestamp


def begin_of(at: str, granularity: Granularity) -> str:
    """The point that a bucket's day or hour belongs to."""
    if granularity is Granularity.HOUR:
        return f"{at[:13]}:00:00Z"
    day = date.fromisoformat(at[:10])
    if granularity is Granularity.WEEK:
        return str(day - timedelta(days=day.weekday()))
    return str(day.replace(day=1)) if granularity is Granularity.MONTH else str(day)


def begins_of(days: Days, granularity: Granularity) -> list[str]:
    """Every point of a range, in order."""
    dates = [days.first + timedelta(days=number) for number in range((days.last - days.first).days + 1)]
    moments = [f"{day}T{hour:02d}" for day in dates for hour in range(24)]
    wanted = moments if granularity is Granularity.HOUR else [str(day) for day in dates]
    return list(dict.fromkeys(begin_of(moment, granularity) for moment in wanted))
