"""Durations, and the windows of the clock that they cut time into (contract litellm 4.2, 4.3; Q-36).

A window is known from its duration and the clock alone, so nothing has to be reset: a counter carries the name of its
window, and a new window simply has another name. All windows are in UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_GRAMMAR = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d|w|mo)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DAY = 86_400
# 1970-01-05 was a Monday.
_FIRST_MONDAY = 4 * _DAY
# Spellings that mean the calendar's week and month, not seven or thirty days from anywhere.
_CALENDAR = {"7d": "1w", "30d": "1mo"}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

MINUTE = "1m"
DAY = "1d"


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` (epoch seconds) to before ``end``; ``end`` None: it never ends."""

    start: int
    end: int | None

    @property
    def name(self) -> str:
        """The window as part of a counter's name, short because every write of the counter carries it."""
        return _base36(self.start)


ONCE = Window(0, None)


def check_duration(duration: str) -> str:
    """The duration, if it is one. Raises ValueError in the contract's words."""
    if not _GRAMMAR.fullmatch(duration):
        message = f"Invalid budget_duration '{duration}'. Use a format like '1h', '24h', '7d', or '30d'."
        raise ValueError(message)
    return duration


def window_at(duration: str | None, moment: float) -> Window:
    """The window of ``duration`` that holds ``moment`` (epoch seconds).

    Days begin at midnight, weeks on Monday, months on the first; ``7d`` is the week and ``30d`` the month. Other
    numbers of days, weeks and months are counted from 1970. Hours, minutes and seconds begin at multiples within the
    day, and the day ends the last of them, unless they are longer than a day. No duration: one window for ever.
    """
    if duration is None:
        return ONCE
    found = _GRAMMAR.fullmatch(_CALENDAR.get(duration, duration))
    if found is None:
        raise ValueError(duration)
    number, unit = int(found[1]), found[2]
    now = int(moment)
    if unit == "mo":
        return _months(number, now)
    length = number * _SECONDS[unit]
    if unit == "w":
        start = now - (now - _FIRST_MONDAY) % length
    elif unit == "d" or length > _DAY:
        start = now - now % length
    else:
        midnight = now - now % _DAY
        start = now - (now - midnight) % length
        return Window(start, min(start + length, midnight + _DAY))
    return Window(start, start + length)


def before(duration: str, window: Window) -> Window:
    """The window of ``duration`` that ended when ``window`` began."""
    return window_at(duration, window.start - 1)


def _months(number: int, now: int) -> Window:
    moment = datetime.fromtimestamp(now, UTC)
    months = moment.year * 12 + moment.month - 1
    first = months - months % number
    return Window(_first_of(first), _first_of(first + number))


def _first_of(months: int) -> int:
    return int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp())


def ends_at(duration: str | None, moment: float) -> datetime | None:
    """When the window that holds ``moment`` ends, None if never."""
    end = window_at(duration, moment).end
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=end) if end is not None else None


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
