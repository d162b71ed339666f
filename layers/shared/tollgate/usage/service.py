"""Use cases of usage: of a team, of an organization, over time. Knows no HTTP and no storage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import TypeVar

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.organizations import access as organization_access
from tollgate.table import keys
from tollgate.teams import access as team_access
from tollgate.usage import repository
from tollgate.usage.figures import NOTHING, Figures, total
from tollgate.usage.model import (
    MOST_DAYS,
    MOST_DAYS_OF_HOURS,
    Days,
    DirectCalls,
    Granularity,
    JobTypeUsage,
    OrganizationUsageReport,
    OwnerUsage,
    TeamUsage,
    Timeline,
    TimelinePoint,
    UsageTotals,
    begin_of,
    begins_of,
    days_between,
    days_of_period,
)
from tollgate.usage.repository import Used

# Calls of an organization's keys that belong to no team; no team can have that id.
NO_TEAM = "Unassigned"

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class UsageService:
    """What was used; every method checks the caller's right over the very team or organization."""

    clock: Clock = utc_now

    def of_team(self, caller: Principal, team_id: str, period: str) -> TeamUsage:
        team = team_access.reachable(caller, team_id, Action.USAGE_READ)
        return self.in_team(caller, team_id, team.uid, team.created_at, period)

    def in_team(self, caller: Principal, team_id: str, uid: str, created_at: datetime, period: str) -> TeamUsage:
        """The same of a team by its uid, whether it is still there or not; the right was checked."""
        now = self.clock()
        days = days_of_period(period, created_at, now.date())
        used = _condensed(repository.of_scope(keys.USAGE_OWNER, uid, days.first, days.last))
        job_types = job_types_of(used)
        return TeamUsage(
            team_id=team_id,
            period=period,
            summary=totals_of(caller, used),
            direct_calls=direct_calls_of(used),
            by_job_type={name: job_type.count for name, job_type in job_types.items()},
            job_types=job_types,
            as_of=now,
        )

    def of_organization(self, caller: Principal, organization_id: str, period: str) -> OrganizationUsageReport:
        organization = organization_access.reachable(caller, organization_id, Action.USAGE_READ_ORGANIZATION)
        return self.in_organization(caller, organization_id, organization.uid, organization.created_at, period)

    def in_organization(
        self, caller: Principal, organization_id: str, uid: str, created_at: datetime, period: str
    ) -> OrganizationUsageReport:
        """The same of an organization by its uid, whether it is still there or not; the right was checked."""
        now = self.clock()
        days = days_of_period(period, created_at, now.date())
        whole = repository.of_organization(uid, days.first, days.last)
        used = _condensed(whole.by_dimensions)
        by_team = grouped(whole.by_owner, lambda used: used.team_id or NO_TEAM)
        teams = {team_id: _owner_usage(figures) for team_id, figures in sorted(by_team.items())}
        return OrganizationUsageReport(
            organization_id=organization_id,
            period=period,
            summary=totals_of(caller, used),
            direct_calls=direct_calls_of(used),
            by_team=teams,
            teams=teams,
            by_job_type=job_types_of(used),
            as_of=now,
        )

    def timeline_of_team(
        self, caller: Principal, team_id: str, granularity: Granularity, first: date, last: date
    ) -> Timeline:
        team = team_access.reachable(caller, team_id, Action.USAGE_READ)
        days = _range(granularity, first, last)
        if granularity is Granularity.HOUR:
            used = repository.hours_of_owner(team.uid, days.first, days.last)
        else:
            used = repository.of_scope(keys.USAGE_OWNER, team.uid, days.first, days.last)
        return self._timeline(granularity, days, used)

    def timeline_of_organization(
        self, caller: Principal, organization_id: str, granularity: Granularity, first: date, last: date
    ) -> Timeline:
        organization = organization_access.reachable(caller, organization_id, Action.USAGE_READ_ORGANIZATION)
        days = _range(granularity, first, last)
        if granularity is Granularity.HOUR:
            used = repository.hours_of_organization(organization.uid, days.first, days.last)
        else:
            used = repository.of_organization(organization.uid, days.first, days.last).by_dimensions
        return self._timeline(granularity, days, used)

    def _timeline(self, granularity: Granularity, days: Days, used: list[Used]) -> Timeline:
        found = grouped(used, lambda one: begin_of(one.at, granularity))
        return Timeline(
            granularity=granularity,
            start_date=str(days.first),
            end_date=str(days.last),
            points=[
                TimelinePoint(date=begin, **_owner_usage(found.get(begin, NOTHING)).model_dump())
                for begin in begins_of(days, granularity)
            ],
            as_of=self.clock(),
        )


def totals_of(caller: Principal, used: Iterable[Used]) -> UsageTotals:
    """The sum as the caller may see it."""
    found = _condensed(used)
    in_jobs = total(one.figures for one in found if one.job_type is not None)
    return UsageTotals.of(
        total(one.figures for one in found), in_jobs.cost_usd, inside=caller.platform_role is not None
    )


def direct_calls_of(used: Iterable[Used]) -> DirectCalls:
    """What no job asked for."""
    figures = total(one.figures for one in used if one.job_type is None)
    return DirectCalls(
        calls=int(figures.calls), tokens=int(figures.tokens), cost_usd=figures.cost_usd, credits_used=figures.credits
    )


def job_types_of(used: Iterable[Used]) -> dict[str, JobTypeUsage]:
    """By job type, in the order of their names."""
    found = grouped((one for one in used if one.job_type is not None), lambda one: one.job_type or "")
    return {
        name: JobTypeUsage(
            count=int(figures.jobs),
            calls=int(figures.calls),
            tokens=int(figures.tokens),
            cost_usd=figures.cost_usd,
            credits_used=figures.credits,
        )
        for name, figures in sorted(found.items())
    }


def grouped(used: Iterable[Used], key: Callable[[Used], K]) -> dict[K, Figures]:
    """Sums by whatever ``key`` gives."""
    groups: dict[K, list[Figures]] = defaultdict(list)
    for one in used:
        groups[key(one)].append(one.figures)
    return {name: total(figures) for name, figures in groups.items()}


def _condensed(used: Iterable[Used]) -> list[Used]:
    """The same in few parts, for whoever sums it more than once and asks for job types only."""
    return [Used("", figures, job_type=name) for name, figures in grouped(used, lambda one: one.job_type).items()]


def _owner_usage(figures: Figures) -> OwnerUsage:
    return OwnerUsage(
        jobs=int(figures.jobs),
        calls=int(figures.calls),
        tokens=int(figures.tokens),
        cost_usd=figures.cost_usd,
        credits_used=figures.credits,
    )


def _range(granularity: Granularity, first: date, last: date) -> Days:
    return days_between(first, last, MOST_DAYS_OF_HOURS if granularity is Granularity.HOUR else MOST_DAYS)


@cache
def usage_service() -> UsageService:
    return UsageService()
