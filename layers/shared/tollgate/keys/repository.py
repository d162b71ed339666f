"""Virtual keys in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.pagination import Page, PageRequest
from tollgate.keys.items import KeyItem
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.limits import repository as limits
from tollgate.limits.model import NO_LIMITS
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.table.metadata import MetadataItem
from tollgate.table.transactions import Work


def find(key_id: str) -> VirtualKey | None:
    """The key whose SHA-256 is ``key_id``."""
    item = KeyItem.find(keys.key(key_id), keys.ENTITY)
    return _key(item) if item else None


def metadata_of(key_id: str) -> dict[str, Any]:
    return MetadataItem.read(keys.key(key_id))


def search(team_uid: str, request: PageRequest) -> Page[VirtualKey]:
    """A page of a team's keys, newest first, revoked ones included."""
    page = KeyItem.page(keys.keys_of(team_uid), request, scope="keys", index=GSI1, newest_first=True)
    return Page([_key(item) for item in page.entries], page.next_cursor)


def all_of_team(team_uid: str) -> Iterator[VirtualKey]:
    yield from (_key(item) for item in KeyItem.all_of(keys.keys_of(team_uid), index=GSI1))


def create(work: Work, key: VirtualKey, created_by: str, metadata: dict[str, Any] | None = None) -> None:
    """Adds a team's new key to the transaction."""
    created_at = clock.to_stored(key.created_at)
    work.create(
        KeyItem(
            PK=keys.key(key.key_id),
            SK=keys.ENTITY,
            GSI1PK=keys.keys_of(key.team_uid or ""),
            GSI1SK=keys.by_creation(created_at, key.key_id),
            kind="key",
            key_id=key.key_id,
            uid=key.uid,
            mask=key.mask,
            key_alias=key.key_alias,
            team_id=key.team_id,
            team_uid=key.team_uid,
            organization_id=key.organization_id,
            organization_uid=key.organization_uid,
            user_id=key.user_id,
            user_uid=key.user_uid,
            status=key.status.value,
            expires_at=clock.to_stored(key.expires_at) if key.expires_at else None,
            model_access="all" if key.models is None else "listed",
            models=list(key.models or ()),
            tags=list(key.tags),
            limits=key.limits if key.limits != NO_LIMITS else None,
            created_at=created_at,
            created_by=created_by,
            updated_at=created_at,
            updated_by=created_by,
        )
    )
    if metadata:
        work.put(MetadataItem.of(keys.key(key.key_id), metadata))
    limits.relink(work, NO_LIMITS, key.limits)


def update(work: Work, key: VirtualKey, after: VirtualKey, metadata: dict[str, Any] | None, event: AuditEvent) -> None:
    """Changes what may be changed of a key; a lost race if somebody else changed it since it was read as ``key``."""
    item = KeyItem(PK=keys.key(key.key_id), SK=keys.ENTITY, version=key.version)
    changes = {
        "key_alias": after.key_alias,
        "blocked": after.blocked,
        "expires_at": clock.to_stored(after.expires_at) if after.expires_at else None,
        "model_access": "all" if after.models is None else "listed",
        "models": list(after.models or ()),
        "tags": list(after.tags),
        "limits": after.limits if after.limits != NO_LIMITS else None,
        "updated_at": clock.to_stored(event.at),
        "updated_by": event.caller.actor,
    }
    work.update(item, item.changes(changes), KeyItem.status == KeyStatus.ACTIVE.value)
    if metadata is not None:
        work.put(MetadataItem.of(item.PK, metadata))
    limits.relink(work, key.limits, after.limits)


def revoke(work: Work, key_id: str, at: datetime, revoked_by: str) -> None:
    """Ends a key for good, in whatever state it is; the transaction loses the race if it is gone."""
    item = KeyItem(PK=keys.key(key_id), SK=keys.ENTITY)
    changes = {"status": KeyStatus.REVOKED.value, "updated_at": clock.to_stored(at), "updated_by": revoked_by}
    work.update(item, item.changes(changes), KeyItem.PK.exists(), versioned=False)


def delete(work: Work, key: VirtualKey) -> None:
    """Removes a key with its counter; ``limits.unlink`` is the caller's, who may remove many at once."""
    work.delete(KeyItem(PK=keys.key(key.key_id), SK=keys.ENTITY))
    work.delete(MetadataItem(PK=keys.key(key.key_id), SK=keys.METADATA))
    limits.forget_counter(work, key.uid)


def _key(item: KeyItem) -> VirtualKey:
    return VirtualKey(
        key_id=item.key_id,
        uid=item.uid,
        mask=item.mask,
        key_alias=item.key_alias,
        team_id=item.team_id,
        team_uid=item.team_uid,
        organization_id=item.organization_id,
        status=KeyStatus(item.status),
        blocked=item.blocked,
        expires_at=clock.from_stored(item.expires_at) if item.expires_at else None,
        models=tuple(str(entry) for entry in item.models) if item.model_access == "listed" else None,
        organization_uid=item.organization_uid,
        user_id=item.user_id,
        user_uid=item.user_uid,
        tags=tuple(str(tag) for tag in item.tags),
        limits=item.limits or NO_LIMITS,
        created_at=clock.from_stored(item.created_at),
        version=item.version,
    )
