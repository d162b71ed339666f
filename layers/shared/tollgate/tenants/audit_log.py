"""Reading the audit log: an organization is asked for by its id, and its events are kept under its uid."""

from __future__ import annotations

from tollgate.audit import repository
from tollgate.audit.model import AuditFilter, AuditRecord
from tollgate.auth.policy import PLATFORM, Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.core.pagination import Page, PageRequest
from tollgate.organizations import repository as organizations


def search(caller: Principal, request: PageRequest, wanted: AuditFilter) -> Page[AuditRecord]:
    """A page of events, newest first.

    An organization's events lie under it and cost nothing to find; of one that is gone they are looked for among all,
    as the other filters are, within the bound of searches (Q-28).
    """
    owner = Owner(wanted.organization_id) if wanted.organization_id else PLATFORM
    authorize(caller, Action.AUDIT_READ, owner)
    organization = organizations.find(wanted.organization_id) if wanted.organization_id else None
    return repository.search(request, wanted, organization.uid if organization else None)
