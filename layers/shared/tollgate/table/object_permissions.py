"""The object permission of an entity, in a sibling item: no call reads it (contract litellm 2.7)."""

from __future__ import annotations

from typing import Any

from tollgate.table import keys
from tollgate.table.attributes import FreeFormAttribute
from tollgate.table.base import Item
from tollgate.table.transactions import Work


class ObjectPermissionItem(Item):
    """Lives beside the entity: same partition, sort key ``OBJECTPERMISSION``. The entity has its id."""

    permission = FreeFormAttribute()


def read(pk: str) -> dict[str, Any]:
    item = ObjectPermissionItem.find(pk, keys.OBJECT_PERMISSION)
    return item.permission if item else {}


def write(work: Work, pk: str, permission: dict[str, Any]) -> None:
    """Puts it; an empty one goes."""
    item = ObjectPermissionItem(PK=pk, SK=keys.OBJECT_PERMISSION, kind="object_permission", permission=permission)
    if permission:
        work.put(item)
    else:
        work.delete(item)
