"""Lists of jobs: of a team, and of all teams of an organization. Knows no HTTP and no storage."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cache
from itertools import islice

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.errors import InvalidRequestError
from tollgate.core.pagination import PageRequest
from tollgate.jobs import repository
from tollgate.jobs.model import JobFilter, JobList, JobQuery, JobStatus, JobSummary, TeamJobs
from tollgate.organizations import access as organization_access
from tollgate.table import cursor
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.usage import repository as usage

# Each team of an organization is read on its own.
MOST_TEAMS = 100


@dataclass(frozen=True, slots=True)
class JobLists:
    """Which jobs there are; every method checks the caller's right over the very team or organization."""

    def search(
        self,
        caller: Principal,
        query: JobQuery,
        request: PageRequest,
        *,
        team_id: str | None = None,
        organization_id: str | None = None,
    ) -> JobList:
        """Jobs of the named team or organization; a team's key need not name its own."""
        wanted = _filter(query)
        if organization_id is not None and team_id is not None:
            raise InvalidRequestError("Name either team_id or organization_id", param="organization_id")
        if organization_id is not None:
            return _of_organization(caller, organization_id, wanted, request)
        team_id = team_id or own_team(caller)
        if team_id is None:
            raise InvalidRequestError("team_id or organization_id says whose jobs are meant", param="team_id")
        page = repository.search(team_access.reachable(caller, team_id, Action.JOB_READ).uid, request, wanted)
        return JobList(jobs=[JobSummary.of(job) for job in page.entries], next_cursor=page.next_cursor)

    def of_team(
        self, caller: Principal, team_id: str, request: PageRequest, status: JobStatus | None = None
    ) -> TeamJobs:
        """A team's jobs, newest first."""
        team = team_access.reachable(caller, team_id, Action.JOB_READ)
        page = repository.search(team.uid, request, JobFilter(status=status))
        return TeamJobs(
            team_id=team_id,
            total=usage.jobs_of_owners([team.uid]),
            jobs=[JobSummary.of(job) for job in page.entries],
            next_cursor=page.next_cursor,
        )


def own_team(caller: Principal) -> str | None:
    """The team of a team's key; one without team has none (Q-05)."""
    return caller.team_roles[0][0] or None if len(caller.team_roles) == 1 else None


def _filter(query: JobQuery) -> JobFilter:
    if query.start_date is not None and query.end_date is not None and query.end_date < query.start_date:
        raise InvalidRequestError("end_date is before start_date", param="end_date")
    return query.filter()


def _of_organization(caller: Principal, organization_id: str, wanted: JobFilter, request: PageRequest) -> JobList:
    """All teams' lists, merged by the jobs' ids, which begin with their time."""
    organization = organization_access.reachable(caller, organization_id, Action.JOB_READ)
    scope = f"{organization.uid}|jobs|{wanted}"
    last = cursor.decode(request.cursor, scope)["job_id"] if request.cursor else None
    found = list(islice(teams.all_of_organization(organization.uid), MOST_TEAMS + 1))
    lists = [repository.stream(team.uid, wanted, last) for team in found[:MOST_TEAMS]]
    merged = heapq.merge(*lists, key=lambda job: job.job_id, reverse=wanted.newest_first)
    later = (job for job in merged if job.job_id != last)
    entries = list(islice(later, request.offset, request.offset + request.limit + 1))
    shown, more = entries[: request.limit], len(entries) > request.limit
    return JobList(
        jobs=[JobSummary.of(job) for job in shown],
        next_cursor=cursor.encode({"job_id": shown[-1].job_id}, scope) if more else None,
        truncated=len(found) > MOST_TEAMS,
    )


@cache
def job_lists() -> JobLists:
    return JobLists()
