"""What the present request demands of every write: the version that its sender knows (If-Match), and that it is new.

The native API sets this for the time of one request; reads and transactions look at it. So no use case has to know of
either header. Outside of such a request nothing is demanded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tollgate.core.errors import PreconditionFailedError

Place = tuple[str, str]


class Claim(Protocol):
    """A request under an Idempotency-Key that is being worked on."""

    def join(self, work: Any, *, whole: bool) -> None:
        """Adds to a transaction that nobody else has taken the request over; if ``whole``, that it is done by this."""


@dataclass(slots=True)
class Demands:
    """What one request demands, and what it has seen.

    Attributes:
        place: keys of the resource's own item; None if it has none.
        stamps: the stamps of the versions that will do; None: any.
        claim: the request's Idempotency-Key, if it has one.
        version, stamp: of the resource as it was last read; None before that.
        written: the first transaction is through, so the demands are met.
        parts: none of its transactions is the whole request.
    """

    place: Place | None = None
    stamps: frozenset[str] | None = None
    claim: Claim | None = None
    version: int | None = None
    stamp: str | None = None
    written: bool = False
    parts: bool = False

    def saw(self, item: Any) -> None:
        """Notes the version of the resource's own item."""
        if self.place == (item.PK, item.SK) and getattr(item, "version", None) is not None:
            self.version, self.stamp = item.version, stamp_of(item.version, getattr(item, "created_at", ""))

    def guards(self, item: Any) -> bool:
        """Whether a write of the item has to depend on its version; gives the item the one that was read."""
        guarded = self.stamps is not None and not self.written and self.place == (item.PK, item.SK)
        if guarded:
            item.version = self.version
        return guarded

    def check(self) -> None:
        """Raises PreconditionFailedError if the resource is not as the sender knows it, and nothing is written yet."""
        if self.stamps is not None and not self.written and self.stamp not in self.stamps:
            raise PreconditionFailedError

    def met(self) -> None:
        """A transaction is through; what was read before it is old."""
        self.written, self.version, self.stamp = True, None, None


_current: ContextVar[Demands | None] = ContextVar("demands", default=None)


@contextmanager
def demanding(demands: Demands) -> Iterator[None]:
    """The demands count inside."""
    token = _current.set(demands)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def in_parts() -> Iterator[None]:
    """Inside, the present request does many things that are each whole by themselves: it is done when all are."""
    demands = _current.get()
    if demands is None:
        yield
        return
    with demanding(replace(demands, parts=True)):
        yield


def current() -> Demands | None:
    return _current.get()


def stamp_of(version: int, created_at: str) -> str:
    """Names a version of an item; that of another item which had the same id before is another one."""
    return f"v{version}.{zlib.crc32(created_at.encode()):x}"
