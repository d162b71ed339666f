"""What follows when a team or an organization is closed, in steps that can be interrupted anywhere and repeated.

Each step finds what is left and takes it away in transactions with their audit events; nothing remembers where the last
run stopped. A transaction fails when another process has taken the deletion over, so two never do the same. The id is
free when the entity's own item goes: of a team after its members, of an organization after its teams.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from tollgate.alerts.service import AlertService
from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.principal import Principal
from tollgate.aws.dynamodb import DynamoDB
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import StoreUnavailableError, WrongStateError
from tollgate.core.pagination import MAX_LIMIT, PageRequest
from tollgate.credentials.service import CredentialService
from tollgate.credits import repository as credits
from tollgate.deletions import repository as deletions
from tollgate.deletions.model import Deletion, Finished, Progress
from tollgate.jobs import closing
from tollgate.jobs import repository as jobs
from tollgate.jobs.model import Ending, JobFilter, JobStatus
from tollgate.keys import repository as keys
from tollgate.limits import repository as limits
from tollgate.models import groups_repository as groups
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization, ShareChange
from tollgate.settings import settings
from tollgate.table.transactions import LostRaceError, Work, retried
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.teams.model import Team, TeamStatus
from tollgate.telemetry import Event, logger
from tollgate.tenants import shares
from tollgate.tenants.members import event_of_removal
from tollgate.tenants.purge import Purge
from tollgate.users import memberships
from tollgate.webhooks.service import WebhookService

# A key with its metadata, its counter, its link, its alias, its audit event and a shared budget, and for all the count
# and five totals: a transaction has at most a hundred writes.
_AT_ONCE = 13
# For so long a deletion is one process's: that of the request, which has 29 s, and then the worker's, which has 300.
_OF_REQUEST = timedelta(seconds=60)
_OF_WORKER = timedelta(seconds=300)
_MOST_DUE = 100

T = TypeVar("T")


class OutOfTimeError(Exception):
    """The run has to end; the next one goes on."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a run has to end, by the monotonic clock."""

    seconds: float
    begun: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        if time.monotonic() - self.begun > self.seconds:
            raise OutOfTimeError


@dataclass(frozen=True, slots=True)
class Teardown:
    """Finishes deletions. Only the worker may purge: a request leaves that to it."""

    clock: Clock = utc_now
    may_purge: bool = True

    def run_due(self, seconds: float) -> Finished:
        """Goes on with every deletion that nobody is at work on, for at most so many seconds."""
        deadline, total = Deadline(seconds), Finished()
        for uid in deletions.due(self.clock(), _MOST_DUE):
            taken = self._take(uid)
            if taken is None:
                continue
            try:
                done = self.run(taken, deadline)
            except Exception:  # noqa: BLE001 (the others do not wait for it; after its lease it is tried again)
                logger.exception(Event.DELETION_FAILED, extra={"uid": uid})
                total.failed += 1
                continue
            total.finished += done
            total.left += not done
        return total

    def run(self, deletion: Deletion, deadline: Deadline) -> bool:
        """Goes on with a deletion that is the caller's; False if time ran out or something is still to come."""
        try:
            self._advance(deletion, deadline)
        except (OutOfTimeError, LostRaceError, StoreUnavailableError):
            deletions.put_off(deletion, self.clock())
            return False
        return True

    def _take(self, uid: str) -> Deletion | None:
        """An unfinished deletion that nobody is at work on."""
        deletion = deletions.find(uid)
        if deletion is None or deletion.is_done:
            return None
        return deletions.take(deletion, ids.new_ulid(), self.clock() + _OF_WORKER)

    def _advance(self, deletion: Deletion, deadline: Deadline) -> None:
        is_team = deletion.team_id is not None
        closed = self._release(deletion, deadline) if deletion.progress is Progress.CLOSING else {}
        self._delete_keys(deletion, deadline)
        if is_team:
            self._end_jobs(deletion, deadline)
        else:
            self._finish_teams(deletion, closed, deadline)
            CredentialService(self.clock).delete_all_of(deletion.caller, deletion.uid)
        AlertService(self.clock).delete_all_of(deletion.caller, deletion.uid)
        WebhookService(self.clock).end_all_of(deletion.caller, deletion.uid)
        if deletion.purge:
            if not self.may_purge:
                raise OutOfTimeError
            asyncio.run(self._purge(deletion, deadline))
        self._finish(deletion)

    def _release(self, deletion: Deletion, deadline: Deadline) -> dict[str, Deletion]:
        """Frees the id; the deletions of an organization's teams that this run has begun, by uid."""
        self._delete_members(deletion, deadline)
        if deletion.team_id is not None:
            retried(lambda: self._release_team(deletion))
            return {}
        closed = self._close_teams(deletion, deadline)
        retried(lambda: self._release_organization(deletion))
        return closed

    def _delete_members(self, deletion: Deletion, deadline: Deadline) -> None:
        for batch in _batches(iter(list(memberships.all_members(deletion.uid))), deadline):
            work = Work()
            for membership in batch:
                memberships.delete(work, membership)
                audit.append(work, event_of_removal(deletion.caller, membership, self.clock()))
            limits.unlink(work, [membership.limits for membership in batch])
            deletions.count(work, deletion)
            work.commit()

    def _release_team(self, deletion: Deletion) -> None:
        team = teams.find(deletion.team_id or "")
        work = Work()
        if team is not None and team.uid == deletion.uid:
            groups.unlink_all(work, team)
            teams.delete(work, team, None if deletion.purge else deletion.caller.actor)
            organizations.count_teams(
                work,
                team.organization_id,
                team.organization_uid,
                teams=-1,
                allocated=-credits.find(team.uid, team.account_items).allocated,
                leaving=True,
                share=self._end_share(team),
            )
        deletions.count(work, deletion, released=True)
        work.commit()

    def _end_share(self, team: Team) -> ShareChange | None:
        """What becomes of the team's share of the organization's budget, if it has one (Q-51)."""
        if team.allocated_budget is None or team.organization_id is None:
            return None
        organization = organizations.find(team.organization_id)
        return shares.ended(organization, team, self.clock()) if organization is not None else None

    def _close_teams(self, deletion: Deletion, deadline: Deadline) -> dict[str, Deletion]:
        """Closes every team that the index shows, and frees its id. OutOfTimeError if one is another process's."""
        closed: dict[str, Deletion] = {}
        for listed in teams.all_of_organization(deletion.uid):
            deadline.check()
            child = retried(lambda team_id=listed.team_id: self._close_team_of(deletion, team_id))  # type: ignore[misc]
            child = child or self._take(listed.uid)
            if child is None:
                raise OutOfTimeError
            self._release(child, deadline)
            closed[child.uid] = replace(child, progress=Progress.RUNNING)
        return closed

    def _close_team_of(self, deletion: Deletion, team_id: str) -> Deletion | None:
        """The deletion of one of the organization's teams; None if it is closed already."""
        team = teams.find(team_id)
        if team is None or team.deleting or team.organization_uid != deletion.uid:
            return None
        work = Work()
        child = close_team(work, deletion.caller, team, self.clock(), purge=deletion.purge)
        deletions.count(work, deletion, teams=1)
        work.commit()
        return child

    def _release_organization(self, deletion: Deletion) -> None:
        """Loses the race while a team is left that the index does not show yet."""
        organization = organizations.find(deletion.organization_id or "")
        work = Work()
        if organization is not None and organization.uid == deletion.uid:
            organizations.delete(work, organization)
        deletions.count(work, deletion, released=True)
        work.commit()

    def _finish_teams(self, deletion: Deletion, closed: dict[str, Deletion], deadline: Deadline) -> None:
        """Finishes the organization's teams. OutOfTimeError if another process is at work on one of them."""
        found = {team.uid: team for team in deletions.teams_of(deletion.uid) if not team.is_done}
        waiting = False
        for uid in found | closed:
            deadline.check()
            child = closed.get(uid) or self._take(uid)
            if child is not None:
                waiting |= not self.run(child, deadline)
            else:
                current = deletions.find(uid)
                waiting |= current is not None and not current.is_done
        if waiting:
            raise OutOfTimeError

    def _delete_keys(self, deletion: Deletion, deadline: Deadline) -> None:
        """Keys are found by an index. One that it does not show yet stays behind as an item that nothing accepts."""
        is_team = deletion.team_id is not None
        found = keys.all_of_team(deletion.uid) if is_team else keys.all_without_team(deletion.uid)
        for batch in _batches(found, deadline):
            work = Work()
            for key in batch:
                keys.delete(work, key)
                before = {"status": key.status.value, "key_alias": key.key_alias}
                audit.append(work, self._event(deletion, "key", key.key_id, before))
            limits.unlink(work, [key.limits for key in batch])
            deletions.count(work, deletion, keys_deleted=len(batch))
            work.commit()

    def _end_jobs(self, deletion: Deletion, deadline: Deadline) -> None:
        """Cancels what jobs were left open. One with a call in flight is left to those who look after dead jobs."""
        ending = Ending(JobStatus.CANCELLED, "The team was deleted")
        for status in (JobStatus.PENDING, JobStatus.IN_PROGRESS):
            for job in jobs.search(deletion.uid, PageRequest(MAX_LIMIT), JobFilter(status=status)).entries:
                deadline.check()
                with suppress(WrongStateError):
                    closing.end(deletion.caller, job, None, ending, self.clock())

    async def _purge(self, deletion: Deletion, deadline: Deadline) -> None:
        config = settings()
        async with aclosing(DynamoDB(config.region, config.dynamodb_endpoint_url)) as db:
            purge = Purge(db, config.table_name, deletion.uid, deadline.check)
            for day in _days(deletion.purged_through or deletion.created_at.date(), self.clock().date()):
                await purge.calls(day)
                if day.day == 1:
                    deletions.purged(deletion, day)
            await purge.jobs()
            await purge.usage()

    def _finish(self, deletion: Deletion) -> None:
        current = deletions.find(deletion.uid) or deletion
        is_team = deletion.team_id is not None
        kind, name = ("team", deletion.team_id) if is_team else ("organization", deletion.organization_id)
        before = {"team_alias" if is_team else "name": deletion.name, "keys_deleted": current.keys_deleted}
        before |= {} if is_team else {"teams_deleted": current.teams_deleted}
        work = Work()
        keys.forget_totals(work, deletion.uid)
        credits.close_account(work, deletion.uid, deletion.account_items)
        audit.append(work, self._event(deletion, kind, name or "", before | {"purged": deletion.purge}))
        deletions.finish(work, deletion)
        work.commit()

    def _event(self, deletion: Deletion, kind: str, resource_id: str, before: dict[str, Any]) -> AuditEvent:
        return AuditEvent(
            caller=deletion.caller,
            action=f"{kind}.deleted",
            resource_type=kind,
            resource_id=resource_id,
            at=self.clock(),
            organization_id=deletion.organization_id,
            organization_uid=deletion.organization_uid,
            before=before,
        )


def close_team(work: Work, caller: Principal, team: Team, now: datetime, *, purge: bool) -> Deletion:
    """Adds to a transaction that a team exists for nobody any more; its deletion is the caller's for a while."""
    before = {
        "status": team.status.value,
        "team_alias": team.team_alias,
        "access_groups": list(team.access_groups),
    }
    event = team_access.event_of(caller, team, "closed", now, before=before)
    # Suspended, too: whoever looks at the status only refuses its calls as well.
    teams.update(work, team, {"deleting": True, "status": TeamStatus.SUSPENDED.value}, None, event)
    if team.status is TeamStatus.ACTIVE:
        organizations.count_teams(work, team.organization_id, team.organization_uid, active=-1, leaving=True)
    audit.append(work, event)
    deletion = Deletion(
        uid=team.uid,
        organization_id=team.organization_id,
        organization_uid=team.organization_uid,
        team_id=team.team_id,
        name=team.team_alias,
        status=team.status.value,
        created_at=team.created_at,
        deleted_at=now,
        caller=caller,
        account_items=team.account_items,
        purge=purge,
    )
    return deletions.create(work, deletion, ids.new_ulid(), now + _OF_REQUEST)


def close_organization(  # noqa: PLR0913
    work: Work, caller: Principal, organization: Organization, now: datetime, *, purge: bool, force: bool = False
) -> Deletion:
    """The same for an organization; loses the race if one of its teams is active by then, unless ``force``."""
    event = organization_access.event_of(caller, organization, "closed", now)
    organizations.close(work, organization, event, force=force)
    audit.append(work, event)
    deletion = Deletion(
        uid=organization.uid,
        organization_id=organization.organization_id,
        organization_uid=organization.uid,
        team_id=None,
        name=organization.name,
        status=organization.status.value,
        created_at=organization.created_at,
        deleted_at=now,
        caller=caller,
        account_items=organization.account_items,
        purge=purge,
    )
    return deletions.create(work, deletion, ids.new_ulid(), now + _OF_REQUEST)


def _batches(found: Iterator[T], deadline: Deadline) -> Iterator[list[T]]:
    while batch := list(islice(found, _AT_ONCE)):
        deadline.check()
        yield batch


def _days(first: date, last: date) -> Iterator[date]:
    """All days, with the one after: of clocks that go ahead."""
    for number in range((last - first).days + 2):
        yield first + timedelta(days=number)


@cache
def teardown() -> Teardown:
    return Teardown()
