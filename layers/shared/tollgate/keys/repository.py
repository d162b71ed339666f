"""Virtual keys in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tollgate.core import clock
from tollgate.core.pagination import Page, PageRequest
from tollgate.keys.items import KeyItem
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.table.transactions import Work


def find(key_id: str) -> VirtualKey | None:
    """The key whose SHA-256 is ``key_id``."""
    item = KeyItem.find(keys.key(key_id), keys.ENTITY)
    return _key(item) if item else None


def search(team_uid: str, request: PageRequest) -> Page[VirtualKey]:
    """A page of a team's keys, newest first, revoked ones included."""
    page = KeyItem.page(keys.keys_of(team_uid), request, scope="keys", index=GSI1, newest_first=True)
    return Page([_key(item) for item in page.entries], page.next_cursor)


def all_of_team(team_uid: str) -> Iterator[VirtualKey]:
    yield from (_key(item) for item in KeyItem.all_of(keys.keys_of(team_uid), index=GSI1))


def create(work: Work, key: VirtualKey, created_by: str) -> None:
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
            status=key.status.value,
            expires_at=clock.to_stored(key.expires_at) if key.expires_at else None,
            model_access="all" if key.models is None else "listed",
            models=list(key.models or ()),
            created_at=created_at,
            created_by=created_by,
            updated_at=created_at,
            updated_by=created_by,
        )
    )


def revoke(work: Work, key_id: str, at: datetime, revoked_by: str) -> None:
    """Ends a key for good, in whatever state it is; the transaction loses the race if it is gone."""
    item = KeyItem(PK=keys.key(key_id), SK=keys.ENTITY)
    changes = {"status": KeyStatus.REVOKED.value, "updated_at": clock.to_stored(at), "updated_by": revoked_by}
    work.update(item, item.changes(changes), KeyItem.PK.exists(), versioned=False)


def delete(work: Work, key_id: str) -> None:
    work.delete(KeyItem(PK=keys.key(key_id), SK=keys.ENTITY))


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
        created_at=clock.from_stored(item.created_at),
        version=item.version,
    )
