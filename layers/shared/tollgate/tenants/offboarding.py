"""The end of a team or an organization, in steps that can be interrupted anywhere and repeated.

What ends is closed first: from then on it exists for nobody, its keys are unknown, and nothing can be added to it. Then
what hangs under it goes, and last it goes itself, so that its id is free only when nothing is left under it. Each step
is one transaction with its audit events. Ledger, audit events and call records stay under the uid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import islice

from tollgate.alerts.service import AlertService
from tollgate.audit import repository as audit
from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import WrongStateError
from tollgate.credentials.service import CredentialService
from tollgate.credits import repository as credits
from tollgate.credits.model import AccountOwner
from tollgate.keys import repository as keys
from tollgate.keys.service import event_of as key_event
from tollgate.limits import repository as limits
from tollgate.models import groups_repository as groups
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization, OrganizationDeleted, ShareChange
from tollgate.table.transactions import Work, retried
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.teams.model import Team, TeamDeleted, TeamStatus
from tollgate.tenants import shares
from tollgate.tenants.members import event_of_removal
from tollgate.users import memberships

# A key with its metadata, its counter, its audit event and a shared budget: the hundred writes of a transaction.
_AT_ONCE = 20


@dataclass(slots=True)
class _Removed:
    """What a run has deleted."""

    teams: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class OffboardingService:
    """Deletes; every method checks the caller's right over the very team or organization."""

    clock: Clock = utc_now

    def delete_team(self, caller: Principal, team_id: str, *, force: bool) -> TeamDeleted:
        """Deletes the team, its keys, its links and its counter (Q-21); asked again, it finishes what was interrupted.

        Raises WrongStateError for an active team unless ``force``.
        """

        def close() -> None:
            team = team_access.reachable(caller, team_id, Action.TEAM_DELETE, leaving=True)
            self._close_team(caller, team, force=force)

        retried(close)
        return TeamDeleted(team_id=team_id, deleted=True, keys_deleted=self._finish_team(caller, team_id))

    def delete_organization(self, caller: Principal, organization_id: str) -> OrganizationDeleted:
        """Deletes the organization with its teams, their keys and its provider credentials (Q-21, D-25).

        Asked again, it goes on where it was interrupted. Raises WrongStateError while a team is active.
        """
        organization = organization_access.reachable(caller, organization_id, Action.ORGANIZATION_DELETE, leaving=True)
        if not organization.deleting:
            event = organization_access.event_of(caller, organization, "closed", self.clock())
            organizations.close(organization, event)
        removed = _Removed()

        def attempt() -> None:
            current = organizations.find(organization_id)
            if current is None or current.uid != organization.uid:
                # Somebody else who asked for the same thing was quicker.
                return
            # The list of teams is an index: if it did not show all of them, the organization's own count says so.
            self._remove_contents(caller, organization, removed)
            left = organizations.find(organization_id)
            if left is not None and left.uid == organization.uid:
                organizations.delete(left, organization_access.event_of(caller, left, "deleted", self.clock()))

        retried(attempt)
        return OrganizationDeleted(
            organization_id=organization_id,
            deleted=True,
            state="done",
            teams_deleted=removed.teams,
            keys_deleted=removed.keys,
        )

    def _remove_contents(self, caller: Principal, organization: Organization, removed: _Removed) -> None:
        for listed in teams.all_of_organization(organization.uid):
            removed.keys += self._remove_team(caller, listed.team_id)
            removed.teams += 1
        CredentialService(self.clock).delete_all_of(caller, organization.uid)
        self._delete_members(caller, organization.uid)
        AlertService(self.clock).delete_all_of(caller, organization.uid)
        owner = AccountOwner(organization=organization)
        work = Work()
        credits.close_account(work, owner, credits.find(owner.uid, owner.counter_items))
        work.commit()

    def _remove_team(self, caller: Principal, team_id: str) -> int:
        def close() -> None:
            team = teams.find(team_id)
            if team is not None:
                self._close_team(caller, team, force=True)

        retried(close)
        return self._finish_team(caller, team_id)

    def _close_team(self, caller: Principal, team: Team, *, force: bool) -> None:
        """The first step. Raises WrongStateError for an active team unless ``force``."""
        if team.deleting:
            return
        active = team.status is TeamStatus.ACTIVE
        if active and not force:
            message = f"Team '{team.team_id}' is active; suspend it first or delete it with force=true"
            raise WrongStateError(message, code="team_active")
        event = team_access.event_of(caller, team, "closed", self.clock(), before={"status": team.status.value})
        work = Work()
        # Suspended, too: whoever looks at the status only refuses its calls as well.
        changes = {"deleting": True, "status": TeamStatus.SUSPENDED.value}
        teams.update(work, team, changes, None, event)
        if active:
            organizations.count_teams(work, team.organization_id, team.organization_uid, active=-1, leaving=True)
        audit.append(work, event)
        work.commit()

    def _finish_team(self, caller: Principal, team_id: str) -> int:
        """The other steps, for a closed team: the number of keys deleted. Nothing is left to do if it is gone."""
        team = teams.find(team_id)
        if team is None or not team.deleting:
            return 0
        self._delete_members(caller, team.uid)
        AlertService(self.clock).delete_all_of(caller, team.uid)
        deleted = self._delete_keys(caller, team)
        retried(lambda: self._delete_team(caller, team_id, deleted))
        return deleted

    def _delete_keys(self, caller: Principal, team: Team) -> int:
        """Keys are found by an index. One that it does not show yet stays behind as an item that nothing accepts."""
        found = keys.all_of_team(team.uid)
        deleted = 0
        while batch := list(islice(found, _AT_ONCE)):
            work = Work()
            for key in batch:
                keys.delete(work, key)
                before = {"status": key.status.value, "key_alias": key.key_alias}
                audit.append(work, key_event(caller, team, key.key_id, "deleted", self.clock(), before=before))
            limits.unlink(work, [key.limits for key in batch])
            work.commit()
            deleted += len(batch)
        return deleted

    def _delete_members(self, caller: Principal, owner_uid: str) -> None:
        """The memberships in a team or organization that is closed, each with its audit event."""
        found = list(memberships.all_members(owner_uid))
        for start in range(0, len(found), _AT_ONCE):
            batch = found[start : start + _AT_ONCE]
            work = Work()
            for membership in batch:
                memberships.delete(work, membership)
                audit.append(work, event_of_removal(caller, membership, self.clock()))
            limits.unlink(work, [membership.limits for membership in batch])
            work.commit()

    def _delete_team(self, caller: Principal, team_id: str, keys_deleted: int) -> None:
        team = teams.find(team_id)
        if team is None or not team.deleting:
            return
        account = credits.find(team.uid, team.account_items)
        work = Work()
        for group in team.access_groups:
            groups.unlink_team(work, group, team.team_id)
        credits.close_account(work, AccountOwner(team=team), account)
        teams.delete(work, team)
        organizations.count_teams(
            work,
            team.organization_id,
            team.organization_uid,
            teams=-1,
            allocated=-account.allocated,
            leaving=True,
            share=self._end_share(team),
        )
        before = {
            "team_alias": team.team_alias,
            "access_groups": list(team.access_groups),
            "keys_deleted": keys_deleted,
        }
        audit.append(work, team_access.event_of(caller, team, "deleted", self.clock(), before=before))
        work.commit()

    def _end_share(self, team: Team) -> ShareChange | None:
        """What becomes of the team's share of the organization's budget, if it has one (Q-51)."""
        if team.allocated_budget is None or team.organization_id is None:
            return None
        organization = organizations.find(team.organization_id)
        return shares.ended(organization, team, self.clock()) if organization is not None else None


@cache
def offboarding_service() -> OffboardingService:
    return OffboardingService()
