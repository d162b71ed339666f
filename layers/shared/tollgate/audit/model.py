"""Audit events (Q-38)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tollgate.auth.principal import Principal
from tollgate.core import ids

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
