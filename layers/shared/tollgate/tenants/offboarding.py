"""The end of a team or an organization, as somebody asks for it: checked, closed at once, finished by whoever has time.

From the first transaction on it exists for nobody, its keys are unknown, and nothing can be added to it (Q-21). The
request itself goes on for some seconds; what is left then is the worker's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import NotFoundError, WrongStateError
from tollgate.core.pagination import PageRequest
from tollgate.deletions import repository as deletions
from tollgate.deletions.model import (
    DeletedOrganization,
    DeletedOrganizationList,
    DeletedTeam,
    DeletedTeamList,
    Deletion,
)
from tollgate.jobs import repository as jobs
from tollgate.organizations import access as organization_access
from tollgate.organizations.model import OrganizationDeleted
from tollgate.table.transactions import Work, retried
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.teams.model import TeamDeleted, TeamStatus
from tollgate.tenants.teardown import Deadline, Teardown, close_organization, close_team
from tollgate.usage.model import OrganizationUsageReport, TeamUsage
from tollgate.usage.service import UsageService

# What a request does itself: it has to answer in 29 s.
_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class OffboardingService:
    """Deletes; every method checks the caller's right over the very team or organization."""

    clock: Clock = utc_now

    def delete_team(self, caller: Principal, team_id: str, *, force: bool, purge: bool) -> TeamDeleted:
        """Deletes the team, its keys, its links and its counter (Q-21); with ``purge`` its calls, jobs and usage, too.

        Raises WrongStateError for an active team, or one with open jobs, unless ``force``.
        """

        def close() -> Deletion:
            team = team_access.reachable(caller, team_id, Action.TEAM_DELETE)
            if team.status is TeamStatus.ACTIVE and not force:
                message = f"Team '{team_id}' is active; suspend it first or delete it with force=true"
                raise WrongStateError(message, code="team_active")
            if not force and jobs.is_any_open(team.uid):
                message = f"Team '{team_id}' has open jobs; complete or cancel them, or delete it with force=true"
                raise WrongStateError(message, code="open_jobs")
            work = Work()
            deletion = close_team(work, caller, team, self.clock(), purge=purge)
            work.commit()
            return deletion

        deletion = retried(close)
        done = Teardown(self.clock, may_purge=False).run(deletion, Deadline(_SECONDS))
        keys_deleted = _counted(deletion).keys_deleted
        return TeamDeleted(team_id=team_id, deleted=True, state=_state(done=done), keys_deleted=keys_deleted)

    def delete_organization(self, caller: Principal, organization_id: str, *, purge: bool) -> OrganizationDeleted:
        """Deletes the organization with its teams, their keys and its provider credentials (Q-21, D-25).

        Raises WrongStateError while a team is active or has open jobs.
        """

        def close() -> Deletion:
            organization = organization_access.reachable(caller, organization_id, Action.ORGANIZATION_DELETE)
            if organization.active_team_count:
                raise WrongStateError("Organization has active teams", code="organization_has_active_teams")
            if any(jobs.is_any_open(team.uid) for team in teams.all_of_organization(organization.uid)):
                raise WrongStateError("Organization has open jobs; complete or cancel them", code="open_jobs")
            work = Work()
            deletion = close_organization(work, caller, organization, self.clock(), purge=purge)
            work.commit()
            return deletion

        deletion = retried(close)
        done = Teardown(self.clock, may_purge=False).run(deletion, Deadline(_SECONDS))
        counted = _counted(deletion)
        return OrganizationDeleted(
            organization_id=organization_id,
            deleted=True,
            state=_state(done=done),
            teams_deleted=counted.teams_deleted,
            keys_deleted=counted.keys_deleted + sum(team.keys_deleted for team in deletions.teams_of(deletion.uid)),
        )

    def delete_teams(self, caller: Principal, team_ids: Sequence[str]) -> None:
        """Deletes all of them, active or with open jobs, or none if one is unknown (Q-21)."""
        for team_id in team_ids:
            team_access.reachable(caller, team_id, Action.TEAM_DELETE)
        closed = [retried(lambda name=name: self._close_team(caller, name)) for name in team_ids]  # type: ignore[misc]
        deadline = Deadline(_SECONDS)
        for deletion in closed:
            Teardown(self.clock, may_purge=False).run(deletion, deadline)

    def _close_team(self, caller: Principal, team_id: str) -> Deletion:
        team = team_access.reachable(caller, team_id, Action.TEAM_DELETE)
        work = Work()
        deletion = close_team(work, caller, team, self.clock(), purge=False)
        work.commit()
        return deletion

    def delete_organizations(self, caller: Principal, organization_ids: Sequence[str]) -> None:
        """Deletes all of them, whatever is active or open in them, or none if one is unknown (Q-21).

        They are gone at once; what they leave behind goes in the time of one request, the rest later.
        """
        authorize(caller, Action.ORGANIZATION_DELETE_MANY)
        for organization_id in organization_ids:
            organization_access.reachable(caller, organization_id, Action.ORGANIZATION_DELETE_MANY)
        closed = [retried(lambda name=name: self._close(caller, name)) for name in organization_ids]  # type: ignore[misc]
        deadline = Deadline(_SECONDS)
        for deletion in closed:
            Teardown(self.clock, may_purge=False).run(deletion, deadline)

    def _close(self, caller: Principal, organization_id: str) -> Deletion:
        organization = organization_access.reachable(caller, organization_id, Action.ORGANIZATION_DELETE_MANY)
        work = Work()
        deletion = close_organization(work, caller, organization, self.clock(), purge=False, force=True)
        work.commit()
        return deletion

    def deleted_organizations(
        self, caller: Principal, request: PageRequest, text: str | None
    ) -> DeletedOrganizationList:
        """Organizations that were deleted and not purged, the last one first."""
        authorize(caller, Action.ARCHIVE_READ)
        page = deletions.search(request, teams=False, text=text, organization_id=None)
        return DeletedOrganizationList(
            organizations=[DeletedOrganization.of(one) for one in page.entries],
            next_cursor=page.next_cursor,
            truncated=page.truncated,
        )

    def deleted_teams(
        self, caller: Principal, request: PageRequest, organization_id: str | None, text: str | None
    ) -> DeletedTeamList:
        """Teams that were deleted and not purged, the last one first."""
        authorize(caller, Action.ARCHIVE_READ)
        page = deletions.search(request, teams=True, text=text, organization_id=organization_id)
        return DeletedTeamList(
            teams=[DeletedTeam.of(one) for one in page.entries],
            next_cursor=page.next_cursor,
            truncated=page.truncated,
        )

    def usage_of_team(self, caller: Principal, uid: str, period: str) -> TeamUsage:
        """What a deleted team used. NotFoundError for one that was purged, or never was."""
        deletion = self._archived(caller, uid, is_team=True)
        return UsageService(self.clock).in_team(caller, deletion.team_id or "", uid, deletion.created_at, period)

    def usage_of_organization(self, caller: Principal, uid: str, period: str) -> OrganizationUsageReport:
        """What a deleted organization used."""
        deletion = self._archived(caller, uid, is_team=False)
        return UsageService(self.clock).in_organization(
            caller, deletion.organization_id or "", uid, deletion.created_at, period
        )

    def _archived(self, caller: Principal, uid: str, *, is_team: bool) -> Deletion:
        authorize(caller, Action.ARCHIVE_READ)
        deletion = deletions.find(uid)
        if deletion is None or deletion.purge or (deletion.team_id is not None) != is_team:
            raise NotFoundError(f"Nothing is archived under '{uid}'")
        return deletion


def _counted(deletion: Deletion) -> Deletion:
    """The deletion with what its steps have counted; nothing of it is left once it is purged."""
    return deletions.find(deletion.uid) or deletion


def _state(*, done: bool) -> str:
    return "done" if done else "running"


@cache
def offboarding_service() -> OffboardingService:
    return OffboardingService()
