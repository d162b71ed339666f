"""Spend of the whole platform at a glance: in its window, by day, key, model and team (contract litellm 1.9).

Days are the last thirty unless others are named. It costs their usage buckets, never the calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.fields import Amount
from tollgate.core.money import to_json
from tollgate.limits.model import Scope
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.key_requests import id_of
from tollgate.litellm.spend_scope import MOST_KEYS, every_key
from tollgate.litellm.spend_totals import days_or_month
from tollgate.table import keys
from tollgate.teams import repository as teams
from tollgate.tenants.budgets import budget_service
from tollgate.usage import daily
from tollgate.usage.daily import Part
from tollgate.usage.figures import total
from tollgate.usage.model import Days
from tollgate.usage.service import NO_TEAM


class GlobalQuery(BaseModel):
    start_date: date | None = None
    end_date: date | None = None

    def days(self) -> Days:
        return days_or_month(self.start_date, self.end_date)


class DayQuery(GlobalQuery):
    api_key: Annotated[str | None, Field(max_length=1024)] = None


class TopQuery(GlobalQuery):
    limit: Annotated[int, Field(ge=1, le=MOST_KEYS)] = 10


class GlobalSpend(DialectRow):
    """What was spent in the window of the platform's own budget, and that budget."""

    spend: Amount
    max_budget: Amount | None


class DaySpend(DialectRow):
    date: str
    spend: Amount


class KeyTotal(DialectRow):
    api_key: str
    key_alias: str | None
    key_name: str
    total_spend: Amount


class ModelTotal(DialectRow):
    model: str
    total_spend: Amount


class TeamTotal(DialectRow):
    team_id: str
    total_spend: Amount


class TeamTotals(DialectRow):
    """``daily_spend`` has a member for each team, by the name that ``teams`` lists."""

    daily_spend: list[dict[str, Any]]
    teams: list[str]
    total_spend_per_team: list[TeamTotal]


def spend(caller: Principal) -> GlobalSpend:
    authorize(caller, Action.USAGE_READ_PLATFORM)
    budget = budget_service().get(caller, Scope.PLATFORM, keys.PLATFORM)
    return GlobalSpend(spend=budget.spend, max_budget=budget.max_budget)


def by_day(caller: Principal, query: DayQuery) -> list[DaySpend]:
    """Days that have calls, of everybody or of one key, oldest first."""
    authorize(caller, Action.USAGE_READ_PLATFORM)
    days = query.days()
    if query.api_key:
        parts = daily.of_scopes(keys.USAGE_KEY, [id_of(query.api_key)], days.first, days.last)
    else:
        parts = daily.of_platform(days.first, days.last)
    sums = _sums(parts, lambda part: part.day)
    return [DaySpend(date=day, spend=sums[day]) for day in sorted(sums)]


def by_key(caller: Principal, query: TopQuery) -> list[KeyTotal]:
    """The dearest of the newest 1,000 keys."""
    authorize(caller, Action.USAGE_READ_PLATFORM)
    days = query.days()
    known = {key.key_id: key for key in every_key()}
    sums = _sums(daily.of_scopes(keys.USAGE_KEY, known, days.first, days.last), lambda part: part.name)
    return [
        KeyTotal(
            api_key=key_id,
            key_alias=known[key_id].key_alias,
            key_name=known[key_id].mask,
            total_spend=cost,
        )
        for key_id, cost in _dearest(sums, query.limit)
    ]


def by_model(caller: Principal, query: TopQuery) -> list[ModelTotal]:
    authorize(caller, Action.USAGE_READ_PLATFORM)
    days = query.days()
    sums = _sums(daily.of_platform(days.first, days.last), lambda part: part.model)
    return [ModelTotal(model=model, total_spend=cost) for model, cost in _dearest(sums, query.limit)]


def by_team(caller: Principal, query: GlobalQuery) -> TeamTotals:
    authorize(caller, Action.USAGE_READ_PLATFORM)
    days = query.days()
    parts = daily.of_owners(days.first, days.last)
    known = teams.find_all(part.team_id for part in parts if part.team_id is not None)

    def name_of(part: Part) -> str:
        team = known.get(part.team_id or "")
        return (team.team_alias if team is not None else None) or part.team_id or NO_TEAM

    sums = _sums(parts, name_of)
    by_date: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        by_date[part.day].append(part)
    return TeamTotals(
        daily_spend=[{"date": day, **_shown(by_date[day], name_of)} for day in sorted(by_date)],
        teams=sorted(sums),
        total_spend_per_team=[TeamTotal(team_id=name, total_spend=cost) for name, cost in _dearest(sums, len(sums))],
    )


def _shown(parts: Sequence[Part], name_of: Callable[[Part], str]) -> dict[str, int | float]:
    return {name: to_json(cost) for name, cost in sorted(_sums(parts, name_of).items())}


def _sums(parts: Iterable[Part], name_of: Callable[[Part], str | None]) -> dict[str, Decimal]:
    """USD by name; what has none is left out."""
    found: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        name = name_of(part)
        if name:
            found[name].append(part)
    return {name: total(part.figures for part in own).cost_usd for name, own in found.items()}


def _dearest(sums: dict[str, Decimal], limit: int) -> list[tuple[str, Decimal]]:
    return sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
