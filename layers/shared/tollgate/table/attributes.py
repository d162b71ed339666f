"""Attribute types that PynamoDB lacks: exact numbers and exact JSON (its own numbers are floats)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from pynamodb.attributes import Attribute, ListAttribute, UnicodeAttribute
from pynamodb.constants import NUMBER, STRING
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import RemoveAction, SetAction


class DecimalAttribute(Attribute[Decimal]):
    """A number that stays exact: USD, credits, prices."""

    attr_type = NUMBER

    def serialize(self, value: Decimal) -> str:
        return format(value, "f")

    def deserialize(self, value: str) -> Decimal:
        return Decimal(value)


class IntegerAttribute(Attribute[int]):
    """A whole number."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        return str(int(value))

    def deserialize(self, value: str) -> int:
        return int(Decimal(value))


class TextListAttribute(ListAttribute[str]):
    """A list of texts, empty unless given."""

    def __init__(self) -> None:
        super().__init__(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]


class DecimalListAttribute(ListAttribute[Decimal]):
    """A list of exact numbers; absent unless given."""

    def __init__(self) -> None:
        super().__init__(of=DecimalAttribute, null=True)  # type: ignore[arg-type]


class FreeFormAttribute(Attribute[dict[str, Any]]):
    """A caller's JSON object, kept as text, so that its numbers come back as they were sent."""

    attr_type = STRING

    def serialize(self, value: dict[str, Any]) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)

    def deserialize(self, value: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(value)
        return loaded

    def set(self, value: Any) -> SetAction | RemoveAction:
        # PynamoDB takes an object such as {"S": "text"} for a value that is stored like that already.
        return Path(self).set({STRING: self.serialize(value)})


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    message = f"{type(value).__name__} is not JSON"
    raise TypeError(message)
