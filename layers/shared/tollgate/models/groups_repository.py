"""Access groups and their links to teams in the table.

A builtin group exists without being stored (Q-44). It gets an item when the first team holds it, to carry that count;
the item keeps ``builtin: true`` and its models are still those of ``builtin.py``, until a create or update of the same
name makes it the operator's own.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import InvalidRequestError
from tollgate.core.pagination import Page, PageRequest
from tollgate.models.access import EVERYTHING
from tollgate.models.builtin import BUILTIN_GROUPS
from tollgate.models.items import AccessGroupItem, GroupLinkItem, ModelItem
from tollgate.models.model import AccessGroup
from tollgate.table import cursor, keys
from tollgate.table.transactions import Work
from tollgate.teams.model import Team

_SYSTEM = "tollgate"
_SCOPE = "access groups"


def stored_groups(names: Iterable[str]) -> set[str]:
    """Which of the names are stored access groups; strongly consistent."""
    wanted = [(keys.CATALOGUE, keys.access_group(name)) for name in set(names)]
    return {item.group_name for item in AccessGroupItem.batch_get(wanted, consistent_read=True)}


def find(group_name: str) -> AccessGroup | None:
    """The group, stored or builtin; strongly consistent."""
    item = AccessGroupItem.find(keys.CATALOGUE, keys.access_group(group_name))
    return _group(item) if item else _builtin(group_name) if group_name in BUILTIN_GROUPS else None


def all_groups(after: str = "") -> Iterator[AccessGroup]:
    """Every group in order of name, stored and builtin, behind the name ``after``; strongly consistent."""
    first = keys.access_group(after)
    # "$" follows "#" in code order: the range ends where the partition's groups end.
    stored = AccessGroupItem.all_of(
        keys.CATALOGUE, prefix=AccessGroupItem.SK.between(first, keys.access_group().replace("#", "$"))
    )
    found = (_group(item) for item in stored if first != item.SK)
    builtin = (_builtin(name) for name in sorted(BUILTIN_GROUPS) if name > after)
    last = None
    # A stored group comes before the builtin one that it stands for: merge is stable.
    for group in heapq.merge(found, builtin, key=lambda group: keys.access_group(group.group_name)):
        if group.group_name != last:
            last = group.group_name
            yield group


def page(request: PageRequest) -> Page[AccessGroup]:
    """A page of all groups in order of name."""
    after = cursor.decode(request.cursor, _SCOPE)["after"] if request.cursor else ""
    entries: list[AccessGroup] = []
    for position, group in enumerate(all_groups(after)):
        if position < request.offset:
            continue
        if len(entries) == request.limit:
            return Page(entries, cursor.encode({"after": entries[-1].group_name}, _SCOPE))
        entries.append(group)
    return Page(entries)


def save(work: Work, group: AccessGroup, event: AuditEvent) -> None:
    """Adds the group as it is now to a transaction; it is the operator's own from then on.

    LostRaceError at commit if somebody else changed it since it was read.
    """
    item = _handle(group)
    now = clock.to_stored(event.at)
    new = group.created_at is None
    created = {"created_at": now, "created_by": event.caller.actor} if new else {}
    changed = created | {
        "kind": "access_group",
        "group_name": group.group_name,
        "description": group.description,
        "model_aliases": list(group.model_aliases),
        "builtin": False,
        "updated_at": now,
        "updated_by": event.caller.actor,
    }
    work.update(item, [*item.changes(changed), AccessGroupItem.team_count.add(0)])
    audit.append(work, event)


def _handle(group: AccessGroup) -> AccessGroupItem:
    """Without a version while it has none: it is not stored, or only as the counter of a builtin group."""
    handle = AccessGroupItem(PK=keys.CATALOGUE, SK=keys.access_group(group.group_name))
    if group.version:
        handle.version = group.version
    return handle


def delete(work: Work, group: AccessGroup, event: AuditEvent) -> None:
    """Adds the deletion to a transaction; a lost race at commit while any team holds the group."""
    item = AccessGroupItem(PK=keys.CATALOGUE, SK=keys.access_group(group.group_name))
    work.delete(item, AccessGroupItem.team_count == 0)
    audit.append(work, event)


def teams_of(group_name: str, limit: int | None = None) -> Iterator[str]:
    """Ids of the teams that hold the group, in their order in the table."""
    partition = keys.group_members(group_name)
    for item in GroupLinkItem.query(partition, consistent_read=True, limit=limit):
        yield item.team_id


def link_team(work: Work, group_name: str, team_id: str) -> None:
    """Notes that a team now holds a group, and counts it: two of the hundred items of a transaction (``*``: none).

    The caller does this once for each group that the team gains. The transaction fails with InvalidRequestError if the
    group does not exist by then, and with LostRaceError if the team holds it already.
    """
    if group_name in EVERYTHING:
        return
    link = _link(group_name, team_id)
    link.kind = "group_link"
    link.team_id = team_id
    work.create(link)
    _count(work, group_name, 1)


def unlink_team(work: Work, group_name: str, team_id: str) -> None:
    """The inverse of :func:`link_team`, for a group that the team loses."""
    if group_name in EVERYTHING:
        return
    work.delete(_link(group_name, team_id), GroupLinkItem.PK.exists())
    _count(work, group_name, -1)


def unlink_all(work: Work, team: Team) -> None:
    """Everything that a team holds, when it goes."""
    for name in team.access_groups:
        unlink_team(work, name, team.team_id)
    for alias in team.models:
        unlink_model(work, alias, team.team_id)


def link_model(work: Work, alias: str, team_id: str, *, exists: bool = True) -> None:
    """Notes that a team holds an alias by itself; InvalidRequestError at commit if the alias is gone by then.

    Without ``exists`` the name may be of no alias yet, or of many: a wildcard.
    """
    link = _model_link(alias, team_id)
    link.kind = "model_link"
    link.team_id = team_id
    work.create(link)
    if not exists:
        return
    unknown = InvalidRequestError(f"Unknown model group '{alias}'", param="model_groups")
    work.check(ModelItem(PK=keys.CATALOGUE, SK=keys.model(alias)), ModelItem.PK.exists(), otherwise=unknown)


def unlink_model(work: Work, alias: str, team_id: str) -> None:
    """The inverse of :func:`link_model`."""
    work.delete(_model_link(alias, team_id), GroupLinkItem.PK.exists())


def users_of(alias: str) -> Iterator[str]:
    """Ids of the teams that hold the alias by itself; strongly consistent."""
    for item in GroupLinkItem.query(keys.model_users(alias), consistent_read=True):
        yield item.team_id


def entries_of(group_names: Iterable[str]) -> list[str]:
    """What the groups open: their aliases and wildcards, sorted; ``*`` stands for itself."""
    names = set(group_names)
    wanted = [(keys.CATALOGUE, keys.access_group(name)) for name in names - EVERYTHING]
    found = {item.group_name: _group(item) for item in AccessGroupItem.batch_get(wanted, consistent_read=True)}
    groups = [found.get(name) or _builtin(name) for name in names if name in found or name in BUILTIN_GROUPS]
    return sorted({entry for group in groups for entry in group.model_aliases} | (names & EVERYTHING))


def _model_link(alias: str, team_id: str) -> GroupLinkItem:
    return GroupLinkItem(PK=keys.model_users(alias), SK=keys.team(team_id))


def _link(group_name: str, team_id: str) -> GroupLinkItem:
    return GroupLinkItem(PK=keys.group_members(group_name), SK=keys.team(team_id))


def _count(work: Work, group_name: str, teams: int) -> None:
    item = AccessGroupItem(PK=keys.CATALOGUE, SK=keys.access_group(group_name))
    actions = [AccessGroupItem.team_count.add(teams)]
    condition = None
    if group_name in BUILTIN_GROUPS:
        actions += _builtin_attributes(group_name)
    else:
        condition = AccessGroupItem.PK.exists()
    unknown = InvalidRequestError(f"Unknown access group '{group_name}'", param="access_groups")
    work.update(item, actions, condition, otherwise=unknown, versioned=False)


def _builtin_attributes(group_name: str) -> list[Any]:
    """What makes the counter of a builtin group a whole item, unless it is one already."""
    now = clock.to_stored(clock.utc_now())
    values = {
        "kind": "access_group",
        "group_name": group_name,
        "description": BUILTIN_GROUPS[group_name].description,
        "model_aliases": list(BUILTIN_GROUPS[group_name].model_aliases),
        "builtin": True,
        "created_at": now,
        "created_by": _SYSTEM,
        "updated_at": now,
        "updated_by": _SYSTEM,
    }
    attributes = AccessGroupItem.get_attributes()
    return [attributes[name].set(attributes[name] | value) for name, value in values.items()]


def _builtin(group_name: str, team_count: int = 0, version: int = 0) -> AccessGroup:
    builtin = BUILTIN_GROUPS[group_name]
    return AccessGroup(
        group_name=group_name,
        description=builtin.description,
        model_aliases=builtin.model_aliases,
        team_count=team_count,
        builtin=True,
        created_at=None,
        updated_at=None,
        version=version,
    )


def _group(item: AccessGroupItem) -> AccessGroup:
    if item.builtin:
        return _builtin(item.group_name, item.team_count, item.version or 0)
    return AccessGroup(
        group_name=item.group_name,
        description=item.description,
        model_aliases=tuple(item.model_aliases),
        team_count=item.team_count,
        builtin=False,
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        version=item.version or 0,
    )
