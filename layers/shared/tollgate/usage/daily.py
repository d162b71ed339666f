"""What was used day by day, in the parts that tell it apart: a bucket is a part. Costs buckets, never calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from tollgate.table import keys
from tollgate.table.base import GSI2
from tollgate.usage import repository
from tollgate.usage.figures import Figures, Image, of_bucket, text
from tollgate.usage.reading import Range, read


class Part(NamedTuple):
    """What was used on a day by one model and provider; None where it is a sum over that.

    ``name`` is that of the scope that was asked for, ``owner_uid`` under whom the calls lie.
    """

    day: str
    figures: Figures
    model: str | None = None
    provider: str | None = None
    name: str | None = None
    owner_uid: str | None = None
    team_id: str | None = None
    organization_id: str | None = None
    organization_uid: str | None = None


def of_scopes(scope: str, names: Iterable[str], first: date, last: date) -> list[Part]:
    """Parts of owners (by uid), keys, users or customers (``keys.USAGE_*``) on the days, both included."""
    wanted = list(dict.fromkeys(names))
    found = read([_days(keys.usage_of(scope, name), first, last) for name in wanted])
    return [part for name, items in zip(wanted, found, strict=True) for part in _parts(items, name)]


def of_owners(first: date, last: date) -> list[Part]:
    """Parts of every team, of every organization by itself, and of the platform by itself."""
    slices = [_days(keys.usage_slice(number), first, last, GSI2) for number in range(keys.USAGE_SLICES)]
    return [part for items in read(slices) for part in _parts(items)]


def of_platform(first: date, last: date) -> list[Part]:
    """Parts of everybody together: of closed days few, however many owners there are."""
    return _summed(repository.of_platform(first, last))


def of_organization(organization_id: str, uid: str, first: date, last: date) -> list[Part]:
    """Parts of all owners in an organization together."""
    used = repository.of_organization(uid, first, last).by_dimensions
    return [part._replace(organization_id=organization_id, organization_uid=uid) for part in _summed(used)]


def _summed(used: Sequence[repository.Used]) -> list[Part]:
    return [Part(one.at, one.figures, one.model, one.provider) for one in used if one.figures.calls]


def _parts(items: Sequence[Image], name: str | None = None) -> list[Part]:
    """The buckets that count calls, not those of jobs themselves."""
    found = ((item, of_bucket(item)) for item in items)
    return [_part(item, figures, name) for item, figures in found if figures.calls]


def _part(item: Image, figures: Figures, name: str | None) -> Part:
    return Part(
        day=text(item, "day") or "",
        figures=figures,
        model=text(item, "model"),
        provider=text(item, "provider"),
        name=name,
        owner_uid=text(item, "owner_uid"),
        team_id=text(item, "team_id"),
        organization_id=text(item, "organization_id"),
        organization_uid=text(item, "organization_uid"),
    )


def _days(partition: str, first: date, last: date, index: str | None = None) -> Range:
    return Range(partition, keys.usage_day(str(first)), keys.usage_days_end(str(last)), index)
