"""Pages by number over lists that are read by cursor (Q-27): a page that is reached in order costs what it shows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from tollgate.core.errors import InvalidRequestError
from tollgate.core.pagination import MAX_OFFSET, Page, PageRequest

T = TypeVar("T")
_MOST_PLACES = 10_000


@dataclass(slots=True)
class NumberedPages:
    """Remembers, in this process, where pages begin that come after one which was shown."""

    _places: OrderedDict[Hashable, str] = field(default_factory=OrderedDict)

    def entries(self, read: Callable[[PageRequest], Page[T]], state: Hashable, page: int, size: int) -> list[T]:
        """What is on a page of the list that ``read`` gives; ``state`` names the list as it is now: a changed one is
        another.

        What lies after the last page that is known is walked; InvalidRequestError where that is too far.
        """
        known, cursor = self._nearest(state, page, size)
        offset = (page - known) * size
        if offset > MAX_OFFSET:
            message = f"page {page} is too far from any that was shown; go there page by page"
            raise InvalidRequestError(message, param="page")
        found = read(PageRequest(size, cursor, offset))
        if found.next_cursor is not None:
            self._places[state, size, page + 1] = found.next_cursor
            if len(self._places) > _MOST_PLACES:
                self._places.popitem(last=False)
        return found.entries

    def _nearest(self, state: Hashable, page: int, size: int) -> tuple[int, str | None]:
        """The page itself, or the next one before it, whose beginning is known."""
        for number in range(page, 1, -1):
            cursor = self._places.get((state, size, number))
            if cursor is not None:
                return number, cursor
        return 1, None
