"""How limits stand on an entity, and the items that are nothing but limits, for the admin plane."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

from pynamodb.attributes import Attribute, UnicodeAttribute, VersionAttribute
from pynamodb.constants import MAP
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import RemoveAction, SetAction

from tollgate.core.errors import StoreUnavailableError
from tollgate.limits.model import Limits
from tollgate.limits.stored import from_map, to_map
from tollgate.table.attributes import IntegerAttribute
from tollgate.table.base import Item

_ATTEMPTS = 6


class LimitsAttribute(Attribute[Limits]):
    """The map ``limits``; exact, because PynamoDB's own maps have floats."""

    attr_type = MAP

    def serialize(self, value: Limits) -> dict[str, Any]:
        return to_map(value)

    def deserialize(self, value: dict[str, Any]) -> Limits:
        return from_map(value)

    def set(self, value: Any) -> SetAction | RemoveAction:
        # PynamoDB guesses how a map that is no dict is stored.
        return Path(self).set({MAP: to_map(value)})


class HolderItem(Item):
    """What exists to be limited and for nothing else: the platform, a tag; and a shared row.

    The platform and tags are in the catalogue's partition. ``GSI1`` lists shared rows.
    """

    uid = UnicodeAttribute()
    # Its name, by what it is.
    tag = UnicodeAttribute(null=True)
    budget_id = UnicodeAttribute(null=True)
    limits = LimitsAttribute(null=True)
    # Of a shared row: how many entities name it.
    uses = IntegerAttribute(default=0)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    updated_by = UnicodeAttribute()
    version = VersionAttribute()


class CounterItem(Item):
    """``HOT#<shard>`` of whatever is counted. Calls write it; its counters' names follow from limits and clock."""

    # How often an admin has set what is spent.
    aj = IntegerAttribute(null=True)

    @classmethod
    def raw(cls, pk: str, sk: str) -> dict[str, Any] | None:
        """The item in DynamoDB's JSON, read strongly consistent: PynamoDB knows no attribute without a fixed name."""
        answer: dict[str, Any] = cls._get_connection().get_item(pk, sk, consistent_read=True)
        return answer.get("Item")

    @classmethod
    def raw_together(cls, pk: str, sks: Sequence[str]) -> list[dict[str, Any]]:
        """Several items as they all stood at one moment; missing ones are left out. StoreUnavailableError if busy."""
        wanted = [{"Get": {"TableName": cls.Meta.table_name, "Key": {"PK": {"S": pk}, "SK": {"S": sk}}}} for sk in sks]
        # PynamoDB's client has no types for what it does not use itself.
        client: Any = cls._get_connection().connection.client
        for attempt in range(_ATTEMPTS):
            try:
                answer = client.transact_get_items(TransactItems=wanted)
            except client.exceptions.TransactionCanceledException:
                # Somebody was writing to one of them.
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
            else:
                return [one["Item"] for one in answer["Responses"] if "Item" in one]
        raise StoreUnavailableError("The data store is busy; try again")

    @staticmethod
    def attribute(name: str) -> Path:
        """An attribute by its name, whatever characters that has."""
        return Path([name])
