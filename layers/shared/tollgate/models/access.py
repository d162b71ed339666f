"""Which models an entry list opens (Q-23). Pure, and quick enough for every call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

# Entries that open every model at their level; ``all-team-models`` leaves the decision to the other levels.
EVERYTHING = frozenset({"*", "all-proxy-models", "all-team-models"})
# The entry that opens nothing: a list which is not empty, yet grants no model.
NOTHING = "no-default-models"

Groups = Mapping[str, Sequence[str]]


def allows(entries: Iterable[str], alias: str, groups: Groups) -> bool:
    """Whether one level's list opens ``alias``.

    An entry is an alias, a wildcard (``*`` stands for any text, ``/`` included), the name of an access group, or one of
    the special words. ``groups`` gives the entries of every group. An empty list opens nothing (D-15).
    """
    return any(_opens(entry, alias, groups) for entry in entries)


def visible(levels: Iterable[Sequence[str]], aliases: Iterable[str], groups: Groups) -> list[str]:
    """The aliases that every level's list opens, sorted: what ``GET /v1/models`` shows. No level opens all of them."""
    lists = list(levels)
    return sorted({alias for alias in aliases if all(allows(entries, alias, groups) for entries in lists)})


def is_wildcard(entry: str) -> bool:
    return "*" in entry


def _opens(entry: str, alias: str, groups: Groups) -> bool:
    if entry in EVERYTHING:
        return True
    if entry == NOTHING:
        return False
    return _names(entry, alias) or any(_names(member, alias) for member in groups.get(entry, ()))


def _names(entry: str, alias: str) -> bool:
    """A group's members are aliases and wildcards, never other groups."""
    return entry == alias or (is_wildcard(entry) and _matches(entry.split("*"), alias))


def _matches(parts: list[str], text: str) -> bool:
    """Whether ``text`` is the parts in order with anything between. No regular expression: linear for any wildcard."""
    first, *middle, last = parts
    position, end = len(first), len(text) - len(last)
    if position > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True
