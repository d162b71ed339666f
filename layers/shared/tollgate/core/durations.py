"""How long something lives: ``30s``, ``12h``, ``30d``, ``2w``, ``1mo`` (contract litellm 4.2)."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_GRAMMAR = re.compile(r"([0-9]{1,9})(s|m|h|d|w|mo)")
# A date further away than this is a mistake, and nobody's calendar overflows.
LONGEST = timedelta(days=36_500)


def later(moment: datetime, duration: str) -> datetime:
    """The end of a time that begins at ``moment``; months end on the same day of a later one, or on its last.

    Raises ValueError for what is no duration, is nothing, or is longer than a hundred years.
    """
    found = _GRAMMAR.fullmatch(duration)
    if found is None:
        raise ValueError(duration)
    number, unit = int(found[1]), found[2]
    try:
        end = _months_later(moment, number) if unit == "mo" else moment + timedelta(seconds=number * _SECONDS[unit])
    except OverflowError as error:
        raise ValueError(duration) from error
    if not moment < end <= moment + LONGEST:
        raise ValueError(duration)
    return end


def _months_later(moment: datetime, number: int) -> datetime:
    months = moment.year * 12 + moment.month - 1 + number
    year, month = divmod(months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))
