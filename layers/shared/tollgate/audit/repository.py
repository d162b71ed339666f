"""Writing and listing audit events."""

from __future__ import annotations

from datetime import timedelta

from tollgate.audit.items import AuditItem
from tollgate.audit.model import RETENTION_DAYS, AuditEvent
from tollgate.core import clock
from tollgate.table import keys
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
