"""Writing and listing audit events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from datetime import datetime, timedelta

from tollgate.audit.items import AuditItem
from tollgate.audit.model import (
    RETENTION_DAYS,
    SPELLINGS,
    AuditDetails,
    AuditEntry,
    AuditEvent,
    AuditFilter,
    AuditRecord,
)
from tollgate.core import clock, ids
from tollgate.core.pagination import Page, PageRequest
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.table.transactions import Work

# An event gets its id a little later than its time: at most as long as a request may take.
_SLACK = timedelta(minutes=1)
# What all ids lie between.
_FIRST_ID, _LAST_ID = "0", "~"


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


def find(audit_id: str) -> AuditEntry | None:
    """An event by its id, whosever it is. At most a moment old, as it is looked for in an index."""
    found = AuditItem.all_of(keys.AUDIT, index=GSI1, prefix=AuditItem.GSI1SK.between(audit_id, audit_id))
    return next((_entry(item) for item in found), None)


def count(most: int) -> int:
    """How many events there are, at most ``most``."""
    return AuditItem.count(keys.AUDIT, index_name=GSI1, limit=most)


def every(first: datetime | None, last: datetime | None, *, newest_first: bool) -> Iterator[AuditEntry]:
    """The events of a time, both ends included; without ends all of them."""
    begin = ids.ulid_prefix(first - _SLACK) if first else _FIRST_ID
    end = ids.ulid_prefix(last + _SLACK) if last else _LAST_ID
    within = AuditItem.GSI1SK.between(begin, max(begin, end))
    for item in AuditItem.all_of(keys.AUDIT, index=GSI1, prefix=within, newest_first=newest_first):
        entry = _entry(item)
        at = entry.record.created_at
        if (first is None or at >= first) and (last is None or at <= last):
            yield entry


def _matches(item: AuditItem, wanted: AuditFilter) -> bool:
    pairs = (
        (wanted.actor, item.actor),
        (wanted.action, SPELLINGS.get(item.action, item.action)),
        (wanted.resource_type, item.resource_type),
        (wanted.organization_id, item.organization_id),
    )
    return all(value is None or value == actual for value, actual in pairs)


def _entry(item: AuditItem) -> AuditEntry:
    return AuditEntry(_record(item), item.action, item.key_id)


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
