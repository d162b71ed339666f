"""Whether the table answers."""

from __future__ import annotations

from pynamodb.exceptions import PynamoDBException

from tollgate.table import keys
from tollgate.table.base import Item


def answers() -> bool:
    """One strongly consistent read of what every call reads, too."""
    try:
        Item.find(keys.CATALOGUE, keys.CATALOGUE_VERSION)
    except PynamoDBException:
        return False
    return True
