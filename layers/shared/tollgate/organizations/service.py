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
from tollgate.core.errors import InvalidRequestError, WrongStateError
from tollgate.core.fields import merged_metadata
from tollgate.core.money import ZERO, plain
from tollgate.core.object_permissions import ObjectPermission
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits.account import AccountSettings, LimitMode
from tollgate.limits.account_fields import changed_settings
from tollgate.limits.fields import LIMIT_FIELDS, described
from tollgate.limits.model import NO_LIMITS, Limits
from tollgate.limits.service import changed
from tollgate.organizations import repository
from tollgate.organizations.access import event_of, missing, reachable
from tollgate.organizations.model import (
    DEFAULT_TEAM_FIELDS,
    CreateOrganization,
    Organization,
    OrganizationAnswer,
    OrganizationStatus,
    OrganizationStatusAnswer,
    Rollover,
    SetOrganizationStatus,
    UpdateOrganization,
)
from tollgate.table.transactions import retried

# What an organization may not say of itself.
_OF_THE_PLATFORM = LIMIT_FIELDS | {"tags", "rollover", "blocked", "models", "model_aliases", "object_permission"}
_AUDITED = frozenset({"name", "tags", "rollover", "blocked", "models", "model_aliases", "object_permission_id"})


@dataclass(frozen=True, slots=True)
class OrganizationService:
    """What can be done with organizations; every method checks the caller's right over the very organization."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateOrganization) -> OrganizationAnswer:
        """A new, active organization. Raises AlreadyExistsError if the id is taken."""
        authorize(caller, Action.ORGANIZATION_CREATE)
        now = self.clock()
        account = changed_settings(caller, request, Owner(), AccountSettings(), now)
        permission = (request.object_permission or ObjectPermission()).over({})
        organization = Organization(
            organization_id=request.organization_id,
            uid=ids.new_ulid(),
            name=request.name,
            status=OrganizationStatus.ACTIVE,
            deleting=False,
            team_count=0,
            active_team_count=0,
            total_credits_allocated=ZERO,
            created_at=now,
            updated_at=now,
            version=1,
            has_account=account.limit_mode is not LimitMode.HARD,
            account=account,
            limits=changed(NO_LIMITS, request.limits_sent()),
            tags=tuple(request.tags),
            rollover=request.rollover,
            blocked=request.blocked,
            models=tuple(request.models) if request.models is not None else None,
            model_aliases=request.model_aliases or {},
            object_permission_id=ids.new_ulid() if permission else None,
            created_by=caller.actor,
            updated_by=caller.actor,
        )
        after = request.model_dump(mode="json", exclude=set(LIMIT_FIELDS) | DEFAULT_TEAM_FIELDS)
        after |= described(organization.limits, request.limits_sent())
        event = self._event(caller, organization, "created", after=after)
        repository.create(organization, request.metadata, permission, event)
        return OrganizationAnswer.of(organization, request.metadata)

    def list(
        self, caller: Principal, request: PageRequest, text: str | None, status: OrganizationStatus | None
    ) -> Page[Organization]:
        """Organizations, newest first; ``text`` searches name and id."""
        authorize(caller, Action.ORGANIZATION_LIST)
        return repository.search(request, text, status)

    def update(
        self, caller: Principal, organization_id: str, request: UpdateOrganization, *, merge: bool = False
    ) -> OrganizationAnswer:
        """Changes the fields that were sent; with ``merge`` metadata is added to what is there (Q-25)."""
        if "name" in request.model_fields_set and request.name is None:
            raise InvalidRequestError("name may not be null", param="name")
        if request.model_fields_set & _OF_THE_PLATFORM:
            authorize(caller, Action.ORGANIZATION_LIMIT, Owner(organization_id), missing=missing(organization_id))
        if "account_shards" in request.model_fields_set:
            authorize(caller, Action.CREDITS_CONFIGURE, Owner(organization_id), missing=missing(organization_id))
        retried(lambda: self._update(caller, organization_id, request, merge=merge))
        organization = reachable(caller, organization_id, Action.ORGANIZATION_UPDATE)
        return OrganizationAnswer.of(organization, repository.metadata_of(organization_id))

    def _update(self, caller: Principal, organization_id: str, request: UpdateOrganization, *, merge: bool) -> None:
        current = reachable(caller, organization_id, Action.ORGANIZATION_UPDATE)
        sent = request.model_dump(exclude_unset=True, exclude=set(LIMIT_FIELDS))
        changes = _changes(current, request)
        account = changed_settings(caller, request, Owner(organization_id), current.account, self.clock())
        if account != current.account:
            changes |= repository.account_changes(current, account)
        limited = request.limits_sent()
        limits = changed(current.limits, limited, self.clock())
        check_shares(current, limits)
        changes |= {"limits": limits} if limited else {}
        metadata = permission = None
        if "metadata" in sent:
            stored = repository.metadata_of(organization_id) if merge and request.metadata else {}
            metadata = merged_metadata(stored, request.metadata or {})
        if "object_permission" in sent:
            stored = repository.object_permission_of(organization_id)
            permission = (request.object_permission or ObjectPermission()).over(stored)
            changes["object_permission_id"] = (current.object_permission_id or ids.new_ulid()) if permission else None
        before = {name: getattr(current, name) for name in _AUDITED & changes.keys()}
        before |= described(current.limits, limited)
        event = self._event(caller, current, "updated", before=before, after=sent | described(limits, limited))
        repository.update(current, changes, metadata, event, permission)

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


def _changes(current: Organization, request: UpdateOrganization) -> dict[str, Any]:
    """The attributes that the fields which were sent make of the organization, but for account and limits."""
    sent = request.model_fields_set
    changes: dict[str, Any] = {"name": request.name} if request.name is not None else {}
    changes |= {"tags": request.tags or []} if "tags" in sent else {}
    changes |= {"rollover": (request.rollover or Rollover.NONE).value} if "rollover" in sent else {}
    changes |= {"blocked": bool(request.blocked)} if "blocked" in sent else {}
    if sent & {"models", "model_aliases"}:
        models = request.models if "models" in sent else current.models
        aliases = (request.model_aliases or {}) if "model_aliases" in sent else current.model_aliases
        changes |= repository.access_attributes(models, aliases)
    if "account_shards" in sent:
        shards = request.account_shards or 1
        changes |= {"account_shards": shards, "account_items": max(shards, current.account_items)}
    return changes


def check_shares(organization: Organization, limits: Limits) -> None:
    """Raises WrongStateError if ``limits`` would leave less of the budget than its teams have as shares (Q-51)."""
    allocated = organization.allocated_total
    if allocated and (limits.max_budget is None or limits.max_budget < allocated):
        message = f"max_budget must be at least {plain(allocated)}, which is allocated to teams"
        raise WrongStateError(message, code="budget_allocated", param="max_budget")


@cache
def organization_service() -> OrganizationService:
    return OrganizationService()
