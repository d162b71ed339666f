"""Free-form metadata of an entity, in a sibling item: so the entity itself, which every call reads, stays small."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tollgate.table import keys
from tollgate.table.attributes import FreeFormAttribute
from tollgate.table.base import Item


class MetadataItem(Item):
    """Lives beside the entity: same partition, sort key ``METADATA``. Absent means ``{}``."""

    metadata = FreeFormAttribute()

    @classmethod
    def of(cls, pk: str, metadata: dict[str, Any]) -> MetadataItem:
        return cls(PK=pk, SK=keys.METADATA, kind="metadata", metadata=metadata)

    @classmethod
    def read(cls, pk: str) -> dict[str, Any]:
        item = cls.find(pk, keys.METADATA)
        return item.metadata if item else {}

    @classmethod
    def read_all(cls, pks: Iterable[str]) -> dict[str, dict[str, Any]]:
        """That of many entities, by their partition."""
        places = [(pk, keys.METADATA) for pk in pks]
        return {item.PK: item.metadata for item in cls.batch_get(places, consistent_read=True)}
