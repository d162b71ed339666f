"""Deletions in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from pynamodb.expressions.condition import Condition

from tollgate.auth.principal import ActorKind, Principal
from tollgate.core import clock
from tollgate.core.pagination import Page, PageRequest
from tollgate.deletions.items import DeletionItem
from tollgate.deletions.model import Deletion, Progress
from tollgate.table import keys
from tollgate.table.base import GSI1, GSI2
from tollgate.table.transactions import LostRaceError, Work


def find(uid: str) -> Deletion | None:
    item = DeletionItem.find(keys.deletion(uid), keys.ENTITY)
    return _deletion(item) if item else None


def create(work: Work, deletion: Deletion, token: str, until: datetime) -> Deletion:
    """Adds the record to the transaction that closes what it is of; it is the caller's until then."""
    taken = replace(deletion, token=token, due=clock.to_stored(until))
    is_team = deletion.team_id is not None
    position = keys.by_creation(clock.to_stored(deletion.deleted_at), deletion.uid)
    caller = deletion.caller
    work.create(
        DeletionItem(
            PK=keys.deletion(deletion.uid),
            SK=keys.ENTITY,
            GSI1PK=keys.DELETED_TEAMS if is_team else keys.DELETED_ORGANIZATIONS,
            GSI1SK=position,
            GSI2PK=keys.deleted_teams_of(deletion.organization_uid) if is_team else None,
            GSI2SK=position if is_team else None,
            DUEPK=keys.DELETIONS,
            DUESK=taken.due,
            kind="deletion",
            uid=deletion.uid,
            organization_id=deletion.organization_id,
            organization_uid=deletion.organization_uid,
            team_id=deletion.team_id,
            name=deletion.name,
            status=deletion.status,
            progress=deletion.progress.value,
            created_at=clock.to_stored(deletion.created_at),
            deleted_at=clock.to_stored(deletion.deleted_at),
            purge=deletion.purge,
            account_items=deletion.account_items,
            token=token,
            actor=caller.actor,
            actor_kind=caller.kind.value,
            key_id=caller.key_id,
            ip_address=caller.ip_address,
            request_id=caller.request_id,
        )
    )
    return taken


def due(now: datetime, limit: int) -> list[str]:
    """Uids of what somebody has to go on with, the oldest first, by the sparse index."""
    found = DeletionItem.due.query(keys.DELETIONS, clock.to_stored(now) >= DeletionItem.DUESK, limit=limit)
    return [item.PK.removeprefix(keys.deletion("")) for item in found]


def take(deletion: Deletion, token: str, until: datetime) -> Deletion | None:
    """Takes an unfinished deletion until a time; None if another process was quicker."""
    if deletion.due is None:
        return None
    later = clock.to_stored(until)
    unchanged = DeletionItem.DUESK == deletion.due  # noqa: SIM300 (a condition of the table)
    taken = _place(deletion.uid).note({"token": token, "DUESK": later}, unchanged)
    return replace(deletion, token=token, due=later) if taken else None


def put_off(deletion: Deletion, until: datetime) -> None:
    """Says when somebody has to go on with what is still the caller's."""
    _place(deletion.uid).note({"DUESK": clock.to_stored(until)}, _own(deletion))


def purged(deletion: Deletion, day: date) -> None:
    """Notes that all calls up to a day are gone."""
    if not _place(deletion.uid).note({"purged_through": day.isoformat()}, _own(deletion)):
        raise LostRaceError


def count(work: Work, deletion: Deletion, *, teams: int = 0, keys_deleted: int = 0, released: bool = False) -> None:
    """Adds to a step's transaction what it has deleted, which fails if another process has taken over."""
    actions: list[Any] = [DeletionItem.teams_deleted.add(teams), DeletionItem.keys_deleted.add(keys_deleted)]
    if released:
        actions.append(DeletionItem.progress.set(Progress.RUNNING.value))
    work.update(_place(deletion.uid), actions, _own(deletion), versioned=False)


def finish(work: Work, deletion: Deletion) -> None:
    """Adds that nothing is left to do; of what was purged not even the record stays."""
    item = _place(deletion.uid)
    if deletion.purge:
        work.delete(item, _own(deletion))
        return
    changes = {"progress": Progress.DONE.value, "DUEPK": None, "DUESK": None, "token": None}
    work.update(item, item.changes(changes), _own(deletion), versioned=False)


def teams_of(organization_uid: str) -> Iterator[Deletion]:
    """The deleted teams of an organization."""
    partition = keys.deleted_teams_of(organization_uid)
    yield from (_deletion(item) for item in DeletionItem.all_of(partition, index=GSI2))


def every_team() -> Iterator[Deletion]:
    """All deleted teams, the last one first."""
    found = DeletionItem.all_of(keys.DELETED_TEAMS, index=GSI1, newest_first=True)
    yield from (_deletion(item) for item in found)


def search(request: PageRequest, *, teams: bool, text: str | None, organization_id: str | None) -> Page[Deletion]:
    """A page of what was deleted, newest first; ``text`` is looked for in id and name."""
    wanted = text.casefold() if text else None

    def matches(item: DeletionItem) -> bool:
        names = ((item.team_id if teams else item.organization_id) or "", item.name or "")
        named = wanted is None or any(wanted in name.casefold() for name in names)
        return named and (organization_id is None or item.organization_id == organization_id)

    page = DeletionItem.page(
        keys.DELETED_TEAMS if teams else keys.DELETED_ORGANIZATIONS,
        request,
        scope=f"deletions|{wanted}|{organization_id}",
        index=GSI1,
        newest_first=True,
        matches=matches,
    )
    return Page([_deletion(item) for item in page.entries], page.next_cursor, page.truncated)


def _place(uid: str) -> DeletionItem:
    return DeletionItem(PK=keys.deletion(uid), SK=keys.ENTITY)


def _own(deletion: Deletion) -> Condition:
    return DeletionItem.token == deletion.token


def _deletion(item: DeletionItem) -> Deletion:
    return Deletion(
        uid=item.uid,
        organization_id=item.organization_id,
        organization_uid=item.organization_uid,
        team_id=item.team_id,
        name=item.name,
        status=item.status,
        created_at=clock.from_stored(item.created_at),
        deleted_at=clock.from_stored(item.deleted_at),
        caller=Principal(
            actor=item.actor,
            kind=ActorKind(item.actor_kind),
            key_id=item.key_id,
            ip_address=item.ip_address,
            request_id=item.request_id,
        ),
        account_items=item.account_items,
        purge=item.purge,
        progress=Progress(item.progress),
        teams_deleted=item.teams_deleted,
        keys_deleted=item.keys_deleted,
        purged_through=date.fromisoformat(item.purged_through) if item.purged_through else None,
        due=item.DUESK,
        token=item.token,
    )
