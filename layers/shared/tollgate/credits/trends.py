"""How quickly an account's credits go: day by day, how long they last, and which days stand out (contract 1.3).

Knows no HTTP and no storage. What was used comes from the usage buckets, so it is some seconds old (Q-47); the balance
is of this moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.fields import Amount, ResponseModel, Timestamp
from tollgate.core.money import ZERO, quantise, ratio
from tollgate.credits import repository
from tollgate.credits.access import reachable
from tollgate.credits.model import AccountOwner, OfAccount
from tollgate.table import keys
from tollgate.usage import repository as usage
from tollgate.usage.figures import NOTHING, Figures, total
from tollgate.usage.repository import Used
from tollgate.usage.service import grouped

MAX_DAYS = 366
# A day stands out when it used more than so many times the average.
SPIKE = 3
# Who runs out later than that is not told a date: so far ahead it says nothing.
_FARTHEST_DAYS = 3650


class DayOfCredits(ResponseModel):
    date: str
    credits_used: Amount
    calls: int


class Spike(ResponseModel):
    """``times_average``: how many times what an average day used."""

    date: str
    credits_used: Amount
    times_average: Amount


class CreditTrends(ResponseModel):
    """``average_per_day`` counts the days since the account's owner exists; today, which is not over, is left out of it
    unless it is all there is.

    ``days_left`` and ``depletion_date`` are what is left by that average; null if nothing was used, or it lasts for ten
    years. ``utilization`` is the percentage of the credits allocated that is used.
    """

    team_id: str | None
    organization_id: str | None
    days: int
    start_date: str
    end_date: str
    credits_allocated: Amount
    credits_used: Amount
    credits_remaining: Amount
    utilization: Amount | None
    used_in_period: Amount
    average_per_day: Amount
    days_left: Amount | None
    depletion_date: str | None
    daily: list[DayOfCredits]
    spikes: list[Spike]
    as_of: Timestamp


@dataclass(frozen=True, slots=True)
class TrendService:
    """Reads as many usage buckets as there are in the days."""

    clock: Clock = utc_now

    def read(self, caller: Principal, named: OfAccount, days: int) -> CreditTrends:
        owner, now = reachable(caller, named, Action.CREDITS_READ), self.clock()
        last = now.date()
        first = last - timedelta(days=days - 1)
        by_day = grouped(_used(owner, first, last), lambda one: one.at)
        daily = {str(day): by_day.get(str(day), NOTHING) for day in _days(first, last)}
        account = repository.find(owner.uid, owner.counter_items)
        average = _average(daily, max(first, owner.created_at.date()), last)
        days_left = _days_left(account.remaining, average)
        return CreditTrends(
            team_id=owner.team_id,
            organization_id=owner.organization_id,
            days=days,
            start_date=str(first),
            end_date=str(last),
            credits_allocated=account.allocated,
            credits_used=account.used,
            credits_remaining=account.remaining,
            utilization=account.percentage_used,
            used_in_period=total(daily.values()).credits,
            average_per_day=average,
            days_left=days_left,
            depletion_date=str(last + timedelta(days=int(days_left))) if days_left is not None else None,
            daily=[
                DayOfCredits(date=day, credits_used=figures.credits, calls=int(figures.calls))
                for day, figures in daily.items()
            ],
            spikes=_spikes(daily, average),
            as_of=now,
        )


def _used(owner: AccountOwner, first: date, last: date) -> list[Used]:
    if owner.team is not None:
        return usage.of_scope(keys.USAGE_OWNER, owner.uid, first, last)
    return usage.of_organization(owner.uid, first, last).by_dimensions


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _average(daily: Mapping[str, Figures], first: date, last: date) -> Decimal:
    """Credits a day over the days that are over; over today alone if there is none."""
    over = _days(first, last - timedelta(days=1)) or [last]
    used = sum((daily[str(day)].credits for day in over), ZERO)
    return quantise(used / len(over))


def _days_left(remaining: Decimal, average: Decimal) -> Decimal | None:
    if average <= ZERO:
        return None
    left = ratio(max(remaining, ZERO), average)
    return left if left is not None and left <= _FARTHEST_DAYS else None


def _spikes(daily: Mapping[str, Figures], average: Decimal) -> list[Spike]:
    """The days that used more than ``SPIKE`` times the average."""
    return [
        Spike(date=day, credits_used=figures.credits, times_average=ratio(figures.credits, average) or ZERO)
        for day, figures in daily.items()
        if average > ZERO and figures.credits > SPIKE * average
    ]


@cache
def trend_service() -> TrendService:
    return TrendService()
