"""How long lists are, kept in the transactions that make and delete their entries (Q-27).

A total is a few items that are added up: two transactions that write the same item at once cancel each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

from tollgate.table import keys
from tollgate.table.attributes import IntegerAttribute
from tollgate.table.base import Item
from tollgate.table.transactions import Work

_PARTS = 8


class TotalItem(Item):
    """A part of a total: that of the entries whose ids fall on it."""

    number = IntegerAttribute()
    moves = IntegerAttribute()


@dataclass(frozen=True, slots=True)
class Total:
    """How many entries there are, and how often one came or went: the list is the same as long as that is."""

    number: int
    moves: int


def count(work: Work, name: str, entry_id: str, change: int) -> None:
    """Adds to the total of the list ``name`` with an entry that comes (1) or goes (-1)."""
    item = TotalItem(PK=keys.total(name), SK=keys.total_part(crc32(entry_id.encode()) % _PARTS))
    work.tally(
        item,
        change,
        lambda number, moves: [
            TotalItem.number.add(number),
            TotalItem.moves.add(moves),
            TotalItem.kind.set("total"),
        ],
    )


def forget(work: Work, name: str) -> None:
    """Takes away the total of a list that is no more."""
    for part in TotalItem.all_of(keys.total(name)):
        work.delete(TotalItem(PK=part.PK, SK=part.SK))


def read(name: str) -> Total:
    """Strongly consistent."""
    parts = list(TotalItem.all_of(keys.total(name)))
    return Total(sum(part.number for part in parts), sum(part.moves for part in parts))
