"""The model catalogue in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Iterable

from tollgate.core import clock
from tollgate.core.errors import InvalidRequestError
from tollgate.models.access import EVERYTHING
from tollgate.models.builtin import BUILTIN_GROUPS
from tollgate.models.items import AccessGroupItem, GroupLinkItem
from tollgate.table import keys
from tollgate.table.transactions import Work

# A builtin group is stored when the first team holds it, to carry that count.
_SYSTEM = "tollgate"


def stored_groups(names: Iterable[str]) -> set[str]:
    """Which of the names are stored access groups; strongly consistent."""
    wanted = [(keys.CATALOGUE, keys.access_group(name)) for name in set(names)]
    return {item.group_name for item in AccessGroupItem.batch_get(wanted, consistent_read=True)}


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


def _link(group_name: str, team_id: str) -> GroupLinkItem:
    return GroupLinkItem(PK=keys.group_members(group_name), SK=keys.team(team_id))


def _count(work: Work, group_name: str, teams: int) -> None:
    item = AccessGroupItem(PK=keys.CATALOGUE, SK=keys.access_group(group_name), version=0)
    actions = [AccessGroupItem.team_count.add(teams)]
    condition = None
    if group_name in BUILTIN_GROUPS:
        actions += _builtin_attributes(group_name)
    else:
        condition = AccessGroupItem.PK.exists()
    unknown = InvalidRequestError(f"Unknown access group '{group_name}'", param="access_groups")
    work.update(item, actions, condition, otherwise=unknown, versioned=False)


def _builtin_attributes(group_name: str) -> list[object]:
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
