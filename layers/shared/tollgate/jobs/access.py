"""How every use case gets at a job: it is there, its team is, and the caller may do that with it."""

from __future__ import annotations

from dataclasses import dataclass

from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.jobs import repository
from tollgate.jobs.model import Job
from tollgate.teams import repository as teams
from tollgate.teams.model import Team

MISSING = "Job not found"


@dataclass(frozen=True, slots=True)
class Reached:
    """A job and the team that it is of."""

    job: Job
    team: Team


def reachable(caller: Principal, job_id: str, action: Action) -> Reached:
    """The job, if the caller may do ``action`` on it.

    Raises NotFoundError for an unknown job, for one whose team is gone and for another organization's, in the same
    words; ForbiddenError for one of another team of the caller's own organization.
    """
    job = repository.find(job_id)
    team = teams.find(job.team_id) if job is not None else None
    if job is None or team is None or team.deleting or team.uid != job.team_uid:
        raise NotFoundError(MISSING)
    try:
        authorize(caller, action, Owner(team.organization_id, team.team_id), missing=MISSING)
    except ForbiddenError:
        raise ForbiddenError("Job does not belong to your team") from None
    return Reached(job, team)
