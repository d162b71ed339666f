"""Jobs that nobody ends: after a time without a sign of life they fail, unbilled (D-32, Q-17).

Any number of these may run at once and stop anywhere: a job is ended as any other, in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import TollgateError
from tollgate.credits.refill import SYSTEM
from tollgate.jobs import closing, repository
from tollgate.jobs.model import Ending, Job, JobStatus
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import OrganizationStatus
from tollgate.settings import settings
from tollgate.table.transactions import LostRaceError
from tollgate.teams import repository as teams
from tollgate.teams.model import Team, TeamStatus
from tollgate.telemetry import Event, logger

# Jobs of a team that is not active wait for it; nobody knows for how long.
WAITING = timedelta(hours=1)


@dataclass(slots=True)
class Tended:
    """What one run did: jobs looked at, jobs failed, and those that it could not look after."""

    jobs: int = 0
    ended: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class ZombieService:
    """Looks after every open job that is due."""

    clock: Clock = utc_now

    def run(self) -> Tended:
        """One run. A job that it could not look after does not keep the others waiting; it is due again."""
        done = Tended()
        for job_id in repository.due(self.clock()):
            done.jobs += 1
            try:
                done.ended += self._tend(job_id)
            except LostRaceError:
                # Somebody does something with it: it lives.
                continue
            except TollgateError as error:
                done.failed += 1
                logger.error(Event.JOB_UNTENDED, extra={"job_id": job_id, "reason": error.message})
        return done

    def _tend(self, job_id: str) -> bool:
        """Whether the job was ended."""
        job, now = repository.find(job_id), self.clock()
        if job is None or not job.status.is_open:
            return False
        found = teams.find(job.team_id)
        team = found if found is not None and found.uid == job.team_uid else None
        idle = timedelta(hours=settings().job_idle_hours)
        if team is not None and not _is_active(team):
            repository.look_again(job, now + WAITING, idle_since=now)
            return False
        if repository.tally(job_id).running:
            repository.look_again(job, now + idle, job.idle_since)
            return False
        idle_since = _last_sign(job)
        if idle_since + idle > now:
            repository.look_again(job, idle_since + idle, job.idle_since)
            return False
        message = f"Nothing happened for {settings().job_idle_hours} hours"
        closing.end(SYSTEM, job, team, Ending(JobStatus.FAILED, message), now)
        return True


def _last_sign(job: Job) -> datetime:
    """When the job was changed, had a call, or could go on again, whichever was last."""
    signs = (job.updated_at, job.idle_since, repository.last_call_at(job.job_id))
    return max(moment for moment in signs if moment is not None)


def _is_active(team: Team) -> bool:
    if team.status is not TeamStatus.ACTIVE:
        return False
    organization = organizations.find(team.organization_id) if team.organization_id is not None else None
    return organization is None or organization.status is OrganizationStatus.ACTIVE


@cache
def zombie_service() -> ZombieService:
    return ZombieService()
