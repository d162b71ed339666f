"""Audit events (Q-38)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.fields import ResponseModel, Timestamp

RETENTION_DAYS = 400


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What somebody changed.

    Attributes:
        action: ``<entity>.<verb>`` in the past, such as ``team.suspended``.
        organization_id: external id of the organization concerned, None for the platform's own things.
        organization_uid: its internal uid, under which the event is kept.
        before, after: the fields that changed; secrets never get here.
    """

    caller: Principal
    action: str
    resource_type: str
    resource_id: str
    at: datetime
    organization_id: str | None = None
    organization_uid: str | None = None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    audit_id: str = field(default_factory=ids.new_ulid)


# What admin users do has names of its own in the list (D-20).
SPELLINGS = {
    "user.set_up": "setup_owner",
    "user.created": "created_user",
    "user.updated": "updated_user",
    "user.deleted": "deleted_user",
    "user.password_changed": "changed_password",
    "session.created": "login",
    "session.ended": "logout",
}


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events are asked for: those that agree with everything that is not None; ``action`` as it is shown."""

    actor: str | None = None
    action: str | None = None
    resource_type: str | None = None
    organization_id: str | None = None


class AuditDetails(ResponseModel):
    before: dict[str, Any]
    after: dict[str, Any]


class AuditRecord(ResponseModel):
    """An event as it is listed; ``user_id`` is who did it (contract 1.8)."""

    audit_id: str
    user_id: str
    actor_kind: str
    action: str
    resource_type: str
    resource_id: str
    organization_id: str | None
    details: AuditDetails
    ip_address: str | None
    request_id: str | None
    created_at: Timestamp


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An event with what the native list does not show: its action as it is stored, and the key that was presented."""

    record: AuditRecord
    action: str
    key_id: str | None


class AuditList(ResponseModel):
    audit_logs: list[AuditRecord]
    next_cursor: str | None = None
    truncated: bool = False
