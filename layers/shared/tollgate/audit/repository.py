"""Writing and listing audit events."""

from __future__ import annotations

from dataclasses import astuple
from datetime import timedelta

from tollgate.audit.items import AuditItem
from tollgate.audit.model import RETENTION_DAYS, SPELLINGS, AuditDetails, AuditEvent, AuditFilter, AuditRecord
from tollgate.core import clock
from tollgate.core.pagination import Page, PageRequest
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.table.transactions import Work


def append(work: Work, event: AuditEvent) -> None:
    """Adds the event to the transaction of the change that it tells of."""
    caller = event.caller
    work.create(
        AuditItem(
            PK=keys.audit_of(event.organization_uid),
            SK=event.audit_id,
            GSI1PK=keys.AUDIT,
            GSI1SK=event.audit_id,
            kind="audit_event",
            audit_id=event.audit_id,
            actor=caller.actor,
            actor_kind=caller.kind.value,
            key_id=caller.key_id,
            action=event.action,
            resource_type=event.resource_type,
            resource_id=event.resource_id,
            organization_id=event.organization_id,
            before=event.before,
            after=event.after,
            ip_address=caller.ip_address,
            request_id=caller.request_id,
            created_at=clock.to_stored(event.at),
            ttl=int((event.at + timedelta(days=RETENTION_DAYS)).timestamp()),
        )
    )


def search(request: PageRequest, wanted: AuditFilter, organization_uid: str | None) -> Page[AuditRecord]:
    """A page of events, newest first: those kept under an organization, or with None all of them."""
    page = AuditItem.page(
        keys.AUDIT if organization_uid is None else keys.audit_of(organization_uid),
        request,
        scope=f"audit|{wanted}",
        index=GSI1 if organization_uid is None else None,
        newest_first=True,
        matches=(lambda item: _matches(item, wanted)) if any(astuple(wanted)) else None,
    )
    return Page([_record(item) for item in page.entries], page.next_cursor, page.truncated)


def _matches(item: AuditItem, wanted: AuditFilter) -> bool:
    pairs = (
        (wanted.actor, item.actor),
        (wanted.action, SPELLINGS.get(item.action, item.action)),
        (wanted.resource_type, item.resource_type),
        (wanted.organization_id, item.organization_id),
    )
    return all(value is None or value == actual for value, actual in pairs)


def _record(item: AuditItem) -> AuditRecord:
    return AuditRecord(
        audit_id=item.audit_id,
        user_id=item.actor,
        actor_kind=item.actor_kind,
        action=SPELLINGS.get(item.action, item.action),
        resource_type=item.resource_type,
        resource_id=item.resource_id,
        organization_id=item.organization_id,
        details=AuditDetails(before=item.before, after=item.after),
        ip_address=item.ip_address,
        request_id=item.request_id,
        created_at=clock.from_stored(item.created_at),
    )
