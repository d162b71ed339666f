"""Usage in the table, for the admin plane. Reads as many buckets as it gives back, however many calls are in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple

from tollgate.table import keys
from tollgate.table.base import GSI1, GSI2
from tollgate.usage.days import state_of
from tollgate.usage.figures import ATTRIBUTES, Figures, Image, of_bucket, text
from tollgate.usage.reading import Range, read, read_items

_WEEK = 7
# What is asked of a bucket: half of it.
_SHOWN = ("day", "hour", "model", "provider", "job_type", "team_id", *ATTRIBUTES.values())


class Used(NamedTuple):
    """A bucket read: its figures, and what it is of. None where it is a sum over that."""

    at: str
    figures: Figures
    model: str | None = None
    provider: str | None = None
    job_type: str | None = None
    team_id: str | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """What an organization used: the same calls by model, provider and job type, and by owner."""

    by_dimensions: list[Used]
    by_owner: list[Used]


def of_scope(scope: str, name: str, first: date, last: date) -> list[Used]:
    """The buckets of an owner (by uid), key, user, customer, tag or project (``keys.USAGE_*``) on days, inclusive."""
    return _all([_days(keys.usage_of(scope, name), [first, last])])


def hours_of_owner(owner_uid: str, first: date, last: date) -> list[Used]:
    return _all([_hours(keys.usage_of(keys.USAGE_OWNER, owner_uid), first, last)])


def hours_of_organization(organization_uid: str, first: date, last: date) -> list[Used]:
    return _all([_hours(keys.usage_in(organization_uid), first, last, GSI1)])


def of_organization(organization_uid: str, first: date, last: date) -> Whole:
    """Closed days as sums, the others from the buckets of their owners."""
    closed = keys.usage_of(keys.USAGE_ORGANIZATION, organization_uid)
    runs = _runs(first, last)
    sums = [run for run, is_closed in runs if is_closed]
    partition = keys.usage_in(organization_uid)
    opened = [one for run, is_closed in runs if not is_closed for one in _open_days(partition, run, GSI1)]
    teams = [
        Range(closed, keys.usage_team(str(run[0])), keys.usage_teams_end(str(run[-1])), only=_SHOWN) for run in sums
    ]
    found = read([*opened, *(_days(closed, run) for run in sums), *teams])
    from_owners, by_dimensions = _used_of(found[: len(opened)]), _used_of(found[len(opened) : -len(teams) or None])
    by_owner = _used_of(found[len(found) - len(teams) :])
    return Whole(from_owners + by_dimensions, from_owners + by_owner)


def of_platform(first: date, last: date) -> list[Used]:
    """As of an organization, over all owners there are."""
    closed = keys.usage_of(keys.USAGE_PLATFORM, keys.PLATFORM)
    slices = [keys.usage_slice(number) for number in range(keys.USAGE_SLICES)]
    ranges = []
    for run, is_closed in _runs(first, last):
        ranges += [_days(closed, run)] if is_closed else [_days(one, run, GSI2) for one in slices]
    return _all(ranges)


def jobs_of_owners(owner_uids: Sequence[str]) -> int:
    """How many jobs the owners have made since they exist: one item for each."""
    pairs = [(keys.usage_of(keys.USAGE_OWNER, uid), keys.USAGE_TOTAL) for uid in owner_uids]
    return sum(int(of_bucket(item).jobs) for item in read_items(pairs))


def _days(partition: str, run: list[date], index: str | None = None) -> Range:
    return Range(partition, keys.usage_day(str(run[0])), keys.usage_days_end(str(run[-1])), index, only=_SHOWN)


def _open_days(partition: str, run: list[date], index: str) -> list[Range]:
    """Many buckets: read a week at a time, and the weeks side by side."""
    return [_days(partition, run[start : start + _WEEK], index) for start in range(0, len(run), _WEEK)]


def _hours(partition: str, first: date, last: date, index: str | None = None) -> Range:
    return Range(partition, keys.usage_hour(str(first)), keys.usage_hours_end(f"{last}T23"), index, only=_SHOWN)


def _runs(first: date, last: date) -> list[tuple[list[date], bool]]:
    """The days in runs of closed and of open ones: each run is one query."""
    (items,) = read([Range(keys.USAGE_DAYS, str(first), str(last))])
    states = {item["SK"]["S"]: state_of(item) for item in items}
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    runs = groupby(days, lambda day: str(day) in states and states[str(day)].is_closed)
    return [(list(run), is_closed) for is_closed, run in runs]


def _all(ranges: list[Range]) -> list[Used]:
    return _used_of(read(ranges))


def _used_of(found: Sequence[Sequence[Image]]) -> list[Used]:
    return [_used(item) for items in found for item in items]


def _used(item: Image) -> Used:
    return Used(
        at=text(item, "day") or text(item, "hour") or "",
        figures=of_bucket(item),
        model=text(item, "model"),
        provider=text(item, "provider"),
        job_type=text(item, "job_type"),
        team_id=text(item, "team_id"),
    )
