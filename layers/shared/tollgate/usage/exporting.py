"""Exports as use cases: whose usage, on which days, and what a row of it says. Who sends them reads the rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core import money
from tollgate.core.clock import utc_now
from tollgate.organizations import access as organization_access
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.teams import access as team_access
from tollgate.usage.figures import Image, of_bucket, text
from tollgate.usage.model import PeriodText, days_of_period
from tollgate.usage.reading import Range

# Of a cell that a caller has named, what would make a spreadsheet take it for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ExportFormat(StrEnum):
    CSV = "csv"
    JSON = "json"


class ExportQuery(BaseModel):
    """The query of an export."""

    period: PeriodText
    format: ExportFormat = ExportFormat.CSV


@dataclass(frozen=True, slots=True)
class Export:
    """An export that its caller may have. ``inside``: he is of the platform, and sees what providers cost.

    ``place`` is where the buckets are; one of them is a row: what a team used on a day by one model, provider and job
    type. What jobs themselves count and were charged is a row without model and provider.
    """

    kind: str
    id: str
    period: str
    place: Range
    inside: bool


def export_of(caller: Principal, kind: str, id: str, query: ExportQuery) -> Export:
    """The usage of an organization, or of a team (``kind``), in a period.

    Raises what the same caller would get for the usage itself.
    """
    if kind == "organization":
        organization = organization_access.reachable(caller, id, Action.USAGE_READ_ORGANIZATION)
        partition, index, since = keys.usage_in(organization.uid), GSI1, organization.created_at
    else:
        team = team_access.reachable(caller, id, Action.USAGE_READ)
        partition, index, since = keys.usage_of(keys.USAGE_OWNER, team.uid), None, team.created_at
    place = _place(partition, index, query.period, since)
    return Export(kind, id, query.period, place, inside=caller.platform_role is not None)


def _place(partition: str, index: str | None, period: str, since: datetime) -> Range:
    days = days_of_period(period, since, utc_now().date())
    return Range(partition, keys.usage_day(str(days.first)), keys.usage_days_end(str(days.last)), index)


def row_of(bucket: Image, *, inside: bool) -> dict[str, str | int | Decimal | None]:
    """A row by the names of its columns; money and credits exact. Null: what a caller may not see, or there is not."""
    figures = of_bucket(bucket)
    return {
        "date": text(bucket, "day"),
        "team_id": text(bucket, "team_id"),
        "model": text(bucket, "model"),
        "provider": text(bucket, "provider"),
        "job_type": text(bucket, "job_type"),
        "calls": int(figures.calls),
        "failed_calls": int(figures.errors),
        "input_tokens": int(figures.input_tokens),
        "cached_tokens": int(figures.cached_tokens),
        "output_tokens": int(figures.output_tokens),
        "reasoning_tokens": int(figures.reasoning_tokens),
        "cost_usd": figures.cost_usd,
        "provider_cost_usd": figures.provider_cost_usd if inside else None,
        "credits_used": figures.credits,
        "jobs": int(figures.jobs),
        "successful_jobs": int(figures.jobs_successful),
        "failed_jobs": int(figures.jobs_failed),
        "cancelled_jobs": int(figures.jobs_cancelled),
        "unbilled_cost_usd": figures.unbilled_usd,
    }


COLUMNS = tuple(row_of({}, inside=False))


def cell(value: str | int | Decimal | None) -> str:
    """A value as CSV has it: numbers plain, and no text that a spreadsheet would run."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, Decimal):
        return money.plain(value)
    return "" if value is None else str(value)


def described(export: Export) -> dict[str, Any]:
    """What a JSON export says before its rows."""
    return {f"{export.kind}_id": export.id, "period": export.period}
