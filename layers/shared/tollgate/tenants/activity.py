"""What happened in an organization: the ledgers of all its accounts, and its latest changes and jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Literal

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditFilter, AuditRecord
from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core import clock
from tollgate.core.fields import ResponseModel, Timestamp
from tollgate.core.pagination import PageRequest
from tollgate.credits import repository as credits
from tollgate.credits.model import AccountOwner, TransactionEntry
from tollgate.organizations.access import reachable
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.teams import repository as teams
from tollgate.usage.figures import Image, text
from tollgate.usage.reading import Range, read

# Teams whose jobs are looked at: a query each.
_TEAMS = 100
_MOMENTS = ("completed_at", "started_at", "created_at")
_VERBS = {"pending": "created", "in_progress": "started"}


class OrganizationTransactions(ResponseModel):
    """``team_id`` of an entry is null in the organization's own account."""

    organization_id: str
    transactions: list[TransactionEntry]
    next_cursor: str | None = None


class ActivityEntry(ResponseModel):
    """A change (``audit``), or where a job stands (``job``); ``actor`` is null for jobs."""

    kind: Literal["audit", "job"]
    event: str
    resource_type: str
    resource_id: str
    team_id: str | None
    actor: str | None
    created_at: Timestamp


class OrganizationActivity(ResponseModel):
    organization_id: str
    activity: list[ActivityEntry]


def transactions(caller: Principal, organization_id: str, request: PageRequest) -> OrganizationTransactions:
    """The ledger entries of the organization and of its teams, those that are gone included, newest first."""
    organization = reachable(caller, organization_id, Action.ORGANIZATION_READ)
    owner = AccountOwner(organization=organization)
    page = credits.transactions_of_organization(organization.uid, request)
    return OrganizationTransactions(
        organization_id=organization_id,
        transactions=[
            TransactionEntry.of(entry, owner).model_copy(update={"team_id": team_id}) for team_id, entry in page.entries
        ],
        next_cursor=page.next_cursor,
    )


def recent(caller: Principal, organization_id: str, limit: int) -> OrganizationActivity:
    """The ``limit`` latest changes and jobs, newest first; jobs are the last that each team has made."""
    organization = reachable(caller, organization_id, Action.ORGANIZATION_READ)
    changes = audit.search(PageRequest(limit), AuditFilter(), organization.uid).entries
    found = [*map(_of_change, changes), *map(_of_job, _jobs(organization.uid, limit))]
    latest = sorted(found, key=lambda entry: entry.created_at, reverse=True)[:limit]
    return OrganizationActivity(organization_id=organization_id, activity=latest)


def _jobs(organization_uid: str, limit: int) -> list[Image]:
    uids = [team.uid for team in islice(teams.all_of_organization(organization_uid), _TEAMS)]
    places: Sequence[Range] = [Range(keys.jobs_of(uid), "0", "g", GSI1, newest=limit) for uid in uids]
    return [job for found in read(places) for job in found]


def _of_change(record: AuditRecord) -> ActivityEntry:
    return ActivityEntry(
        kind="audit",
        event=record.action,
        resource_type=record.resource_type,
        resource_id=record.resource_id,
        team_id=record.resource_id if record.resource_type == "team" else None,
        actor=record.user_id,
        created_at=record.created_at,
    )


def _of_job(job: Image) -> ActivityEntry:
    status = text(job, "status") or ""
    return ActivityEntry(
        kind="job",
        event=f"job.{_VERBS.get(status, status)}",
        resource_type="job",
        resource_id=text(job, "job_id") or "",
        team_id=text(job, "team_id"),
        actor=None,
        created_at=_moment(job),
    )


def _moment(job: Image) -> datetime:
    """When the job came to where it stands."""
    return clock.from_stored(next(found for name in _MOMENTS if (found := text(job, name))))
