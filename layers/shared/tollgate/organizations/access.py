"""How every use case gets at an organization: found, not gone, and the caller may do that with it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.core.errors import NotFoundError
from tollgate.organizations import repository
from tollgate.organizations.model import Organization


def missing(organization_id: str | None) -> str:
    return f"Organization '{organization_id}' not found"


def reachable(caller: Principal, organization_id: str, action: Action, *, leaving: bool = False) -> Organization:
    """The organization, if the caller may do ``action`` on it; ``leaving`` finds one that is being deleted, too.

    Raises NotFoundError for an unknown one and, in the same words, for another tenant's; ForbiddenError for his own
    that he has no right over (Q-10).
    """
    authorize(caller, action, Owner(organization_id), missing=missing(organization_id))
    organization = repository.find(organization_id)
    if organization is None or (organization.deleting and not leaving):
        raise NotFoundError(missing(organization_id))
    return organization


def event_of(caller: Principal, organization: Organization, verb: str, at: datetime, **states: Any) -> AuditEvent:
    """The audit event of a change to an organization; ``states`` are ``before`` and ``after``."""
    return AuditEvent(
        caller=caller,
        action=f"organization.{verb}",
        resource_type="organization",
        resource_id=organization.organization_id,
        at=at,
        organization_id=organization.organization_id,
        organization_uid=organization.uid,
        **states,
    )
