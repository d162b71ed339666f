"""How limits stand on an entity, for the admin plane."""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import Attribute
from pynamodb.constants import MAP

from tollgate.limits.model import Limits
from tollgate.limits.stored import from_map, to_map


class LimitsAttribute(Attribute[Limits]):
    """The map ``limits``; exact, because PynamoDB's own maps have floats."""

    attr_type = MAP

    def serialize(self, value: Limits) -> dict[str, Any]:
        return to_map(value)

    def deserialize(self, value: dict[str, Any]) -> Limits:
        return from_map(value)
