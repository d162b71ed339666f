"""Virtual keys in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError
from tollgate.core.pagination import Page, PageRequest
from tollgate.keys.items import FormerKeyItem, KeyAliasItem, KeyItem, KeyLinkItem
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.limits import repository as limits
from tollgate.limits.model import NO_LIMITS
from tollgate.table import keys, totals
from tollgate.table.base import GSI1, GSI2
from tollgate.table.metadata import MetadataItem
from tollgate.table.totals import Total
from tollgate.table.transactions import Work

# As many items as one request may read.
_BATCH = 100
_KIND = "key"
# How often a string may be changed while the first one still counts.
_MOST_CHANGES = 5


def find(key_id: str) -> VirtualKey | None:
    """The key whose SHA-256 is ``key_id``."""
    item = KeyItem.find(keys.key(key_id), keys.ENTITY)
    return _key(item) if item is not None and item.kind == _KIND else None


def find_used(key_id: str, at: datetime) -> VirtualKey | None:
    """The key that a string with this SHA-256 stands for: its own, or one that it has become a while ago."""
    for _ in range(_MOST_CHANGES):
        item = KeyItem.find(keys.key(key_id), keys.ENTITY)
        if item is None or item.kind == _KIND:
            return _key(item) if item is not None else None
        former = FormerKeyItem.find(item.PK, item.SK)
        if former is None or clock.from_stored(former.expires_at) <= at:
            return None
        key_id = former.successor
    return None


def find_by_alias(alias: str) -> VirtualKey | None:
    """The key that has the alias to itself."""
    guard = KeyAliasItem.find(keys.key_alias(alias), keys.ENTITY)
    return find(guard.key_id) if guard else None


def find_all(key_ids: Iterable[str]) -> Iterator[VirtualKey]:
    """The keys of these ids, in their order, read strongly consistent; those that are not there are left out."""
    wanted = iter(key_ids)
    while batch := list(islice(wanted, _BATCH)):
        places = [(keys.key(key_id), keys.ENTITY) for key_id in batch]
        items = KeyItem.batch_get(places, consistent_read=True)
        found = {item.key_id: _key(item) for item in items if item.kind == _KIND}
        yield from (found[key_id] for key_id in batch if key_id in found)


def metadata_of(key_id: str) -> dict[str, Any]:
    return MetadataItem.read(keys.key(key_id))


def metadata_of_all(key_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """That of many by their ids, read in batches; of those that have any."""
    places = {keys.key(key_id): key_id for key_id in key_ids}
    return {places[pk]: metadata for pk, metadata in MetadataItem.read_all(places).items()}


def search(team_uid: str, request: PageRequest) -> Page[VirtualKey]:
    """A page of a team's keys, newest first, revoked ones included."""
    page = KeyItem.page(keys.keys_of(team_uid), request, scope="keys", index=GSI1, newest_first=True)
    return Page([_key(item) for item in page.entries], page.next_cursor)


def all_of_team(team_uid: str) -> Iterator[VirtualKey]:
    """Newest first, revoked ones included."""
    yield from map(_key, KeyItem.all_of(keys.keys_of(team_uid), index=GSI1, newest_first=True))


def all_without_team(organization_uid: str | None) -> Iterator[VirtualKey]:
    """The keys that an organization has by itself, or nobody; newest first, revoked ones included."""
    yield from map(_key, KeyItem.all_of(keys.own_keys_of(organization_uid), index=GSI1, newest_first=True))


def all_of_user(user_id: str) -> Iterator[VirtualKey]:
    """Newest first, revoked ones included."""
    yield from map(_key, KeyItem.all_of(keys.keys_of_user(user_id), index=GSI2, newest_first=True))


@dataclass(frozen=True, slots=True)
class Links:
    """All keys of an organization, those of its teams included, or all keys that there are; or the revoked ones."""

    partition: str
    index: str | None = None

    def ids(self) -> Iterator[str]:
        """Their ids, newest first."""
        yield from (link.key_id for link in KeyLinkItem.all_of(self.partition, index=self.index, newest_first=True))

    def all(self) -> Iterator[VirtualKey]:
        """The keys, newest first."""
        yield from find_all(self.ids())

    def total(self) -> Total:
        return totals.read(self.partition)

    def page(self, request: PageRequest) -> Page[VirtualKey]:
        """A page of them, newest first."""
        page = KeyLinkItem.page(self.partition, request, scope="links", index=self.index, newest_first=True)
        return Page(list(find_all(link.key_id for link in page.entries)), page.next_cursor)


@dataclass(frozen=True, slots=True)
class ActiveOfTeam:
    """A team's keys that are not revoked, as a list of the same kind."""

    team_uid: str

    @property
    def partition(self) -> str:
        return keys.keys_of(self.team_uid)

    def all(self) -> Iterator[VirtualKey]:
        yield from (key for key in all_of_team(self.team_uid) if key.status is KeyStatus.ACTIVE)

    def total(self) -> Total:
        return totals.read(self.partition)

    def page(self, request: PageRequest) -> Page[VirtualKey]:
        active = KeyStatus.ACTIVE.value
        page = KeyItem.page(
            self.partition,
            request,
            scope="active keys",
            index=GSI1,
            newest_first=True,
            matches=lambda item: item.status == active,
        )
        return Page([_key(item) for item in page.entries], page.next_cursor)


def forget_totals(work: Work, owner_uid: str) -> None:
    """The lists of a team or an organization that is no more have no totals either."""
    for name in (keys.keys_of(owner_uid), keys.keys_in(owner_uid), keys.keys_in(owner_uid, revoked=True)):
        totals.forget(work, name)


def links(organization_uid: str | None = None, *, everywhere: bool = False, revoked: bool = False) -> Links:
    """``organization_uid`` None: those in none, unless it is ``everywhere``."""
    if everywhere:
        return Links(keys.REVOKED_KEYS if revoked else keys.KEYS, GSI1)
    return Links(keys.keys_in(organization_uid, revoked=revoked))


def create(work: Work, key: VirtualKey, created_by: str, metadata: dict[str, Any] | None = None) -> None:
    """Adds a new key to the transaction. AlreadyExistsError if the key or its alias is taken."""
    put(work, key, created_by, metadata)
    limits.relink(work, NO_LIMITS, key.limits)
    if key.unique_alias and key.key_alias is not None:
        _take_alias(work, key.key_alias, key.key_id)


def put(work: Work, key: VirtualKey, created_by: str, metadata: dict[str, Any] | None = None) -> None:
    """A key's own items; its alias and its shared budget count it already, or are the caller's business."""
    created_at = clock.to_stored(key.created_at)
    taken = AlreadyExistsError("Key already exists", code="key_exists", param="key")
    work.create(
        KeyItem(
            PK=keys.key(key.key_id),
            SK=keys.ENTITY,
            kind=_KIND,
            key_id=key.key_id,
            uid=key.uid,
            mask=key.mask,
            created_at=created_at,
            created_by=key.created_by or created_by,
            updated_at=clock.to_stored(key.updated_at or key.created_at),
            updated_by=created_by,
            first_call_at=clock.to_stored(key.first_call_at) if key.first_call_at else None,
            status=key.status.value,
            **_settings(key),
        ),
        otherwise=taken,
    )
    if metadata:
        work.put(MetadataItem.of(keys.key(key.key_id), metadata))
    _link(work, key)


def update(work: Work, key: VirtualKey, after: VirtualKey, metadata: dict[str, Any] | None, event: AuditEvent) -> None:
    """Changes what may be changed of a key; a lost race if somebody else changed it since it was read as ``key``."""
    item = KeyItem(PK=keys.key(key.key_id), SK=keys.ENTITY, version=key.version)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    work.update(item, item.changes(_settings(after) | stamp), KeyItem.status == KeyStatus.ACTIVE.value)
    if metadata is not None:
        work.put(MetadataItem.of(item.PK, metadata))
    limits.relink(work, key.limits, after.limits)
    before_alias, after_alias = _guarded(key), _guarded(after)
    if before_alias != after_alias:
        if before_alias is not None:
            work.delete(KeyAliasItem(PK=keys.key_alias(before_alias), SK=keys.ENTITY))
        if after_alias is not None:
            _take_alias(work, after_alias, key.key_id)
    if key.organization_uid != after.organization_uid:
        _unlink(work, key)
        _link(work, after)
    elif key.team_uid != after.team_uid:
        _count(work, key, -1)
        _count(work, after, 1)


def move(work: Work, key: VirtualKey, after: VirtualKey, at: datetime, moved_by: str) -> None:
    """Follows the key's team to another organization; a revoked key, too."""
    item = KeyItem(PK=keys.key(key.key_id), SK=keys.ENTITY, version=key.version)
    owner = {"organization_id": after.organization_id, "organization_uid": after.organization_uid}
    work.update(item, item.changes(owner | {"updated_at": clock.to_stored(at), "updated_by": moved_by}))
    revoked = key.status is KeyStatus.REVOKED
    _unlink(work, key, revoked=revoked)
    _link(work, after, revoked=revoked)


def revoke(work: Work, key: VirtualKey, at: datetime, revoked_by: str) -> None:
    """Ends a key for good, and frees its alias; a lost race if it was changed since it was read."""
    item = KeyItem(PK=keys.key(key.key_id), SK=keys.ENTITY, version=key.version)
    changes = {"status": KeyStatus.REVOKED.value, "updated_at": clock.to_stored(at), "updated_by": revoked_by}
    work.update(item, item.changes(changes), KeyItem.status == KeyStatus.ACTIVE.value)
    alias = _guarded(key)
    if alias is not None:
        work.delete(KeyAliasItem(PK=keys.key_alias(alias), SK=keys.ENTITY))
    _unlink(work, key)
    _link(work, key, revoked=True)


def replace_with(  # noqa: PLR0913, PLR0917
    work: Work,
    key: VirtualKey,
    new: VirtualKey,
    replaced_by: str,
    metadata: dict[str, Any],
    grace_until: datetime | None = None,
) -> None:
    """Puts another key string in a key's place: the old one is gone, at once or then."""
    if grace_until is None:
        work.delete(KeyItem(PK=keys.key(key.key_id), SK=keys.ENTITY, version=key.version), versioned=True)
    else:
        work.put(_former(key, new.key_id, grace_until), KeyItem.version == key.version)
    work.delete(MetadataItem(PK=keys.key(key.key_id), SK=keys.METADATA))
    _unlink(work, key)
    put(work, new, replaced_by, metadata)
    limits.relink(work, key.limits, new.limits)
    before, after = _guarded(key), _guarded(new)
    if before is not None and before == after:
        guard = KeyAliasItem(PK=keys.key_alias(before), SK=keys.ENTITY)
        work.update(guard, [KeyAliasItem.key_id.set(new.key_id)], versioned=False)
        return
    if before is not None:
        work.delete(KeyAliasItem(PK=keys.key_alias(before), SK=keys.ENTITY))
    if after is not None:
        _take_alias(work, after, new.key_id)


def _former(key: VirtualKey, successor: str, until: datetime) -> FormerKeyItem:
    names = ("team_id", "team_uid", "organization_id", "organization_uid", "user_id", "user_uid")
    return FormerKeyItem(
        PK=keys.key(key.key_id),
        SK=keys.ENTITY,
        kind="former_key",
        key_id=key.key_id,
        successor=successor,
        expires_at=clock.to_stored(until),
        ttl=int(until.timestamp()) + 1,
        **{name: getattr(key, name) for name in names},
    )


def note_first_call(key_id: str, at: datetime) -> None:
    """Writes down when the key was first used, unless that is known or the key is gone."""
    unknown = KeyItem.PK.exists() & KeyItem.first_call_at.does_not_exist()
    KeyItem(PK=keys.key(key_id), SK=keys.ENTITY).note({"first_call_at": clock.to_stored(at)}, unknown)


def delete(work: Work, key: VirtualKey) -> None:
    """Removes a key with its counter; ``limits.unlink`` is the caller's, who may remove many at once."""
    work.delete(KeyItem(PK=keys.key(key.key_id), SK=keys.ENTITY))
    work.delete(MetadataItem(PK=keys.key(key.key_id), SK=keys.METADATA))
    limits.forget_counter(work, key.uid)
    revoked = key.status is KeyStatus.REVOKED
    _unlink(work, key, revoked=revoked)
    alias = _guarded(key)
    if alias is not None and not revoked:
        work.delete(KeyAliasItem(PK=keys.key_alias(alias), SK=keys.ENTITY))


def _settings(key: VirtualKey) -> dict[str, Any]:
    """What may change of a key, as attributes; None for those that are to be absent. The indexes follow from it."""
    position = keys.by_creation(clock.to_stored(key.created_at), key.key_id)
    owner = keys.keys_of(key.team_uid) if key.team_uid is not None else keys.own_keys_of(key.organization_uid)
    return {
        "GSI1PK": owner,
        "GSI1SK": position,
        "GSI2PK": keys.keys_of_user(key.user_id) if key.user_id is not None else None,
        "GSI2SK": position if key.user_id is not None else None,
        "key_alias": key.key_alias,
        "unique_alias": key.unique_alias or None,
        "team_id": key.team_id,
        "team_uid": key.team_uid,
        "organization_id": key.organization_id,
        "organization_uid": key.organization_uid,
        "user_id": key.user_id,
        "user_uid": key.user_uid,
        "blocked": key.blocked,
        "expires_at": clock.to_stored(key.expires_at) if key.expires_at else None,
        "model_access": "all" if key.models is None else "listed",
        "models": list(key.models or ()),
        "tags": list(key.tags),
        "aliases": dict(key.aliases) or None,
        "allowed_routes": list(key.allowed_routes),
        "kept": dict(key.kept) or None,
        "limits": key.limits if key.limits != NO_LIMITS else None,
    }


def _guarded(key: VirtualKey) -> str | None:
    return key.key_alias if key.unique_alias else None


def _take_alias(work: Work, alias: str, key_id: str) -> None:
    message = f"Key with alias '{alias}' already exists. Unique key aliases across all keys are required."
    taken = AlreadyExistsError(message, code="key_alias_exists", param="key_alias")
    guard = KeyAliasItem(PK=keys.key_alias(alias), SK=keys.ENTITY, kind="key_alias", key_id=key_id)
    work.create(guard, otherwise=taken)


def _count(work: Work, key: VirtualKey, change: int, *, revoked: bool = False) -> None:
    """Moves the totals of the lists that the key is in."""
    names = [keys.REVOKED_KEYS if revoked else keys.KEYS, keys.keys_in(key.organization_uid, revoked=revoked)]
    if key.team_uid is not None and not revoked:
        names.append(keys.keys_of(key.team_uid))
    for name in names:
        totals.count(work, name, key.key_id, change)


def _link(work: Work, key: VirtualKey, *, revoked: bool = False) -> None:
    _count(work, key, 1, revoked=revoked)
    place = _linked(key, revoked=revoked)
    index = keys.REVOKED_KEYS if revoked else keys.KEYS
    link = KeyLinkItem(PK=place[0], SK=place[1], GSI1PK=index, GSI1SK=place[1], kind="key_link", key_id=key.key_id)
    work.put(link)


def _unlink(work: Work, key: VirtualKey, *, revoked: bool = False) -> None:
    _count(work, key, -1, revoked=revoked)
    pk, sk = _linked(key, revoked=revoked)
    work.delete(KeyLinkItem(PK=pk, SK=sk))


def _linked(key: VirtualKey, *, revoked: bool) -> tuple[str, str]:
    position = keys.by_creation(clock.to_stored(key.created_at), key.key_id)
    return keys.keys_in(key.organization_uid, revoked=revoked), position


def _key(item: KeyItem) -> VirtualKey:
    return VirtualKey(
        key_id=item.key_id,
        uid=item.uid,
        mask=item.mask,
        key_alias=item.key_alias,
        unique_alias=bool(item.unique_alias),
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
        aliases=item.aliases or {},
        allowed_routes=tuple(str(route) for route in item.allowed_routes),
        kept=item.kept or {},
        limits=item.limits or NO_LIMITS,
        created_at=clock.from_stored(item.created_at),
        created_by=item.created_by,
        updated_at=clock.from_stored(item.updated_at),
        updated_by=item.updated_by,
        first_call_at=clock.from_stored(item.first_call_at) if item.first_call_at else None,
        version=item.version,
    )
