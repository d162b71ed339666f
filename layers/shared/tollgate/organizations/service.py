"""Use cases of organizations. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError, NotFoundError
from tollgate.core.pagination import Page, PageRequest
from tollgate.organizations import offboarding, repository
from tollgate.organizations.model import (
    CreateOrganization,
    Organization,
    OrganizationAnswer,
    OrganizationDeleted,
    OrganizationDetails,
    OrganizationStatus,
    OrganizationStatusAnswer,
    OrganizationTeam,
    OrganizationUsage,
    SetOrganizationStatus,
    UpdateOrganization,
)
from tollgate.table.transactions import retried
from tollgate.teams.overview import of_organization


def _missing(organization_id: str) -> str:
    return f"Organization '{organization_id}' not found"


@dataclass(frozen=True, slots=True)
class OrganizationService:
    """What can be done with organizations; every method checks the caller's right over the very organization."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateOrganization) -> OrganizationAnswer:
        """A new, active organization. Raises AlreadyExistsError if the id is taken."""
        authorize(caller, Action.ORGANIZATION_CREATE)
        now = self.clock()
        organization = Organization(
            organization_id=request.organization_id,
            uid=ids.new_ulid(),
            name=request.name,
            status=OrganizationStatus.ACTIVE,
            blocked=False,
            deleting=False,
            team_count=0,
            active_team_count=0,
            total_credits_allocated=0,
            created_at=now,
            updated_at=now,
            version=1,
        )
        event = self._event(caller, organization, "created", after=request.model_dump(mode="json"))
        repository.create(organization, request.metadata, event)
        return answer(organization, request.metadata)

    def list(
        self, caller: Principal, request: PageRequest, text: str | None, status: OrganizationStatus | None
    ) -> Page[Organization]:
        """Organizations, newest first; ``text`` searches name and id."""
        authorize(caller, Action.ORGANIZATION_LIST)
        return repository.search(request, text, status)

    def get(self, caller: Principal, organization_id: str, action: Action = Action.ORGANIZATION_READ) -> Organization:
        """The organization, if the caller may do ``action`` on it; else NotFoundError or ForbiddenError."""
        authorize(caller, action, Owner(organization_id), missing=_missing(organization_id))
        organization = repository.find(organization_id)
        if organization is None or organization.deleting:
            raise NotFoundError(_missing(organization_id))
        return organization

    def details(self, caller: Principal, organization_id: str) -> OrganizationDetails:
        """The organization with its metadata, its first teams, and what all of them have used."""
        organization = self.get(caller, organization_id)
        overview = of_organization(organization.uid)
        return OrganizationDetails(
            **answer(organization, repository.metadata_of(organization_id)).model_dump(),
            team_count=organization.team_count,
            total_credits_allocated=organization.total_credits_allocated,
            teams=[
                OrganizationTeam(
                    team_id=team.team_id,
                    team_alias=team.team_alias,
                    credits_remaining=account.remaining,
                    status=team.status,
                )
                for team, account in overview.teams
            ],
            usage_summary=OrganizationUsage(
                total_jobs=overview.jobs, total_cost_usd=overview.cost_usd, credits_used=overview.credits_used
            ),
        )

    def update(self, caller: Principal, organization_id: str, request: UpdateOrganization) -> OrganizationAnswer:
        """Changes the fields that were sent."""
        sent = request.model_dump(exclude_unset=True)
        if "name" in sent and request.name is None:
            raise InvalidRequestError("name may not be null", param="name")

        def attempt() -> None:
            current = self.get(caller, organization_id, Action.ORGANIZATION_UPDATE)
            changes: dict[str, Any] = {"name": request.name} if request.name is not None else {}
            metadata = (request.metadata or {}) if "metadata" in sent else None
            event = self._event(caller, current, "updated", before={"name": current.name}, after=sent)
            repository.update(current, changes, metadata, event)

        retried(attempt)
        organization = self.get(caller, organization_id, Action.ORGANIZATION_UPDATE)
        return answer(organization, repository.metadata_of(organization_id))

    def set_status(
        self, caller: Principal, organization_id: str, request: SetOrganizationStatus
    ) -> OrganizationStatusAnswer:
        """Suspends or reactivates; it counts on the very next call of every key in it (Q-11)."""

        def attempt() -> OrganizationStatusAnswer:
            current = self.get(caller, organization_id, Action.ORGANIZATION_SET_STATUS)
            changes = {"status": request.status.value, "status_reason": request.reason}
            verb = "suspended" if request.status is OrganizationStatus.SUSPENDED else "resumed"
            event = self._event(caller, current, verb, before={"status": current.status}, after=changes)
            repository.update(current, changes, None, event)
            return OrganizationStatusAnswer(
                organization_id=organization_id,
                status=request.status,
                previous_status=current.status,
                updated_at=event.at,
                reason=request.reason,
            )

        return retried(attempt)

    def delete(self, caller: Principal, organization_id: str) -> OrganizationDeleted:
        """Deletes the organization with its teams, their keys and its provider credentials (Q-21, D-25).

        Steps that can be interrupted anywhere: asked again, it goes on. From the first step on the organization exists
        for nobody. Raises WrongStateError while a team is active.
        """
        authorize(caller, Action.ORGANIZATION_DELETE, Owner(organization_id), missing=_missing(organization_id))
        organization = repository.find(organization_id)
        if organization is None:
            raise NotFoundError(_missing(organization_id))
        if not organization.deleting:
            repository.begin_deletion(organization, self.clock())
        removed = offboarding.Removed()

        def attempt() -> None:
            current = repository.find(organization_id)
            if current is None or current.uid != organization.uid:
                # Somebody else who asked for the same thing was quicker.
                return
            # The list of teams is an index: if it did not show all of them, the organization's own count says so.
            offboarding.remove_contents(caller, organization, self.clock, removed)
            repository.finish_deletion(organization, self._event(caller, organization, "deleted"))

        retried(attempt)
        return OrganizationDeleted(
            organization_id=organization_id,
            deleted=True,
            state="done",
            teams_deleted=removed.teams,
            keys_deleted=removed.keys,
        )

    def _event(self, caller: Principal, organization: Organization, verb: str, **states: Any) -> AuditEvent:
        return event_of(caller, organization, verb, self.clock, **states)


def event_of(caller: Principal, organization: Organization, verb: str, clock: Clock, **states: Any) -> AuditEvent:
    """The audit event of a change to an organization."""
    return AuditEvent(
        caller=caller,
        action=f"organization.{verb}",
        resource_type="organization",
        resource_id=organization.organization_id,
        at=clock(),
        organization_id=organization.organization_id,
        organization_uid=organization.uid,
        **states,
    )


def answer(organization: Organization, metadata: dict[str, Any]) -> OrganizationAnswer:
    return OrganizationAnswer(
        organization_id=organization.organization_id,
        name=organization.name,
        metadata=metadata,
        status=organization.status,
        blocked=organization.blocked,
        created_at=organization.created_at,
        updated_at=organization.updated_at,
    )


@cache
def organization_service() -> OrganizationService:
    return OrganizationService()
