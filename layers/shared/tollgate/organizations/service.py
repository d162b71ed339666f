"""Use cases of organizations. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError
from tollgate.core.pagination import Page, PageRequest
from tollgate.organizations import repository
from tollgate.organizations.access import event_of, reachable
from tollgate.organizations.model import (
    CreateOrganization,
    Organization,
    OrganizationAnswer,
    OrganizationStatus,
    OrganizationStatusAnswer,
    SetOrganizationStatus,
    UpdateOrganization,
)
from tollgate.table.transactions import retried


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
        return OrganizationAnswer.of(organization, request.metadata)

    def list(
        self, caller: Principal, request: PageRequest, text: str | None, status: OrganizationStatus | None
    ) -> Page[Organization]:
        """Organizations, newest first; ``text`` searches name and id."""
        authorize(caller, Action.ORGANIZATION_LIST)
        return repository.search(request, text, status)

    def update(self, caller: Principal, organization_id: str, request: UpdateOrganization) -> OrganizationAnswer:
        """Changes the fields that were sent."""
        sent = request.model_dump(exclude_unset=True)
        if "name" in sent and request.name is None:
            raise InvalidRequestError("name may not be null", param="name")

        def attempt() -> None:
            current = reachable(caller, organization_id, Action.ORGANIZATION_UPDATE)
            changes: dict[str, Any] = {"name": request.name} if request.name is not None else {}
            metadata = (request.metadata or {}) if "metadata" in sent else None
            event = self._event(caller, current, "updated", before={"name": current.name}, after=sent)
            repository.update(current, changes, metadata, event)

        retried(attempt)
        organization = reachable(caller, organization_id, Action.ORGANIZATION_UPDATE)
        return OrganizationAnswer.of(organization, repository.metadata_of(organization_id))

    def set_status(
        self, caller: Principal, organization_id: str, request: SetOrganizationStatus
    ) -> OrganizationStatusAnswer:
        """Suspends or reactivates; it counts on the very next call of every key in it (Q-11)."""

        def attempt() -> OrganizationStatusAnswer:
            current = reachable(caller, organization_id, Action.ORGANIZATION_SET_STATUS)
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

    def _event(self, caller: Principal, organization: Organization, verb: str, **states: Any) -> AuditEvent:
        return event_of(caller, organization, verb, self.clock(), **states)


@cache
def organization_service() -> OrganizationService:
    return OrganizationService()
