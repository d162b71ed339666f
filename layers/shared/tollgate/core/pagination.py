"""Pages of lists (Q-27)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

MAX_LIMIT = 100
MAX_OFFSET = 10_000
# How many rows a search or a filter reads before it says ``truncated``.
MAX_CANDIDATES = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is asked for: at most ``limit`` entries after ``cursor``, ``offset`` of them skipped."""

    limit: int = MAX_LIMIT
    cursor: str | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page. ``next_cursor`` is None at the end; ``truncated`` says that a search stopped at its bound."""

    entries: list[T] = field(default_factory=list)
    next_cursor: str | None = None
    truncated: bool = False
