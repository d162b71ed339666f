"""Use cases of costs: what a team or an organization cost and brought in, day by day. Knows no HTTP and no storage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from functools import cache
from typing import Any

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.money import ZERO
from tollgate.organizations import access as organization_access
from tollgate.table import keys
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.usage import repository
from tollgate.usage.cost_model import (
    Costs,
    DailyCosts,
    JobTypeCosts,
    OrganizationCosts,
    PlainCosts,
    TeamCosts,
    plain_costs,
)
from tollgate.usage.figures import total
from tollgate.usage.model import Days, Granularity, begins_of, days_between
from tollgate.usage.repository import Used
from tollgate.usage.service import NO_TEAM

# USD for a credit by team id; a team that is not there has no price, as if its price were null.
Prices = Mapping[str, Decimal | None]
# Outside teams a credit is a dollar of plain calls.
_UNASSIGNED: Prices = {NO_TEAM: Decimal(1)}
# Credits and prices have 12 decimal places each: so many digits keep every product and sum of theirs exact.
_EXACT = 80


@dataclass(frozen=True, slots=True)
class CostService:
    """What was spent and earned; every method checks the caller's right over the very team or organization."""

    clock: Clock = utc_now

    def of_team(self, caller: Principal, team_id: str, first: date, last: date) -> TeamCosts:
        """Of one team, from ``first`` to ``last``, both included; at most 366 days."""
        team = team_access.reachable(caller, team_id, Action.COSTS_READ)
        days = days_between(first, last)
        used = repository.of_scope(keys.USAGE_OWNER, team.uid, days.first, days.last)
        with localcontext(prec=_EXACT):
            return TeamCosts(team_id=team_id, **self._report(days, used, used, {team_id: team.price_usd}))

    def of_organization(self, caller: Principal, organization_id: str, first: date, last: date) -> OrganizationCosts:
        """Of all that is in an organization, teams that are gone included."""
        organization = organization_access.reachable(caller, organization_id, Action.COSTS_READ)
        days = days_between(first, last)
        whole = repository.of_organization(organization.uid, days.first, days.last)
        own = {team.team_id: team.price_usd for team in teams.all_of_organization(organization.uid)}
        prices = {**_UNASSIGNED, **own}
        with localcontext(prec=_EXACT):
            return OrganizationCosts(
                organization_id=organization_id,
                by_team={team: _costs(used, prices) for team, used in sorted(_by(_team, whole.by_owner).items())},
                **self._report(days, whole.by_dimensions, whole.by_owner, prices),
            )

    def _report(self, days: Days, by_dimensions: list[Used], by_owner: list[Used], prices: Prices) -> dict[str, Any]:
        by_day = _by(lambda one: one.at, by_owner)
        by_job_type = _by(lambda one: one.job_type or "", (one for one in by_dimensions if one.job_type is not None))
        direct = total(one.figures for one in by_dimensions if one.job_type is None)
        return {
            **_costs(by_owner, prices).model_dump(),
            "start_date": str(days.first),
            "end_date": str(days.last),
            "direct_calls": PlainCosts(**plain_costs(direct)),
            "by_job_type": {name: _of_job_type(used) for name, used in sorted(by_job_type.items())},
            "daily": [
                DailyCosts(date=day, **_costs(by_day.get(day, []), prices).model_dump())
                for day in begins_of(days, Granularity.DAY)
            ],
            "as_of": self.clock(),
        }


def _costs(used: list[Used], prices: Prices) -> Costs:
    revenue = unpriced = ZERO
    for one in used:
        price = prices.get(_team(one))
        if price is None:
            unpriced += one.figures.credits
        else:
            revenue += one.figures.credits * price
    return Costs.of(total(one.figures for one in used), revenue, unpriced)


def _of_job_type(used: list[Used]) -> JobTypeCosts:
    figures = total(one.figures for one in used)
    return JobTypeCosts(jobs=int(figures.jobs), **plain_costs(figures))


def _team(used: Used) -> str:
    return used.team_id or NO_TEAM


def _by(key: Callable[[Used], str], used: Iterable[Used]) -> dict[str, list[Used]]:
    found: dict[str, list[Used]] = defaultdict(list)
    for one in used:
        found[key(one)].append(one)
    return dict(found)


@cache
def cost_service() -> CostService:
    return CostService()
