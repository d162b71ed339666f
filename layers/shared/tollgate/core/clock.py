"""Time. Stored and computed in UTC (Q-34)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The current time, timezone-aware, in UTC; of the same clock as the data plane's ``time.time()``."""
    return datetime.fromtimestamp(time.time(), UTC)


def to_wire(moment: datetime) -> str:
    """A time as the native API writes it: ``2024-10-14T12:00:00Z``, whole seconds (Q-34)."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def to_stored(moment: datetime) -> str:
    """A time as items hold it: fixed-width ISO 8601 with microseconds, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_stored(text: str) -> datetime:
    """The inverse of :func:`to_stored`."""
    return datetime.fromisoformat(text)
