"""Spend of the whole platform by day and team, by day and customer, or by key (contract litellm 1.9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.fields import Amount
from tollgate.customers import repository as customers
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.litellm.key_requests import id_of
from tollgate.litellm.spend_scope import every_key
from tollgate.table import keys
from tollgate.teams import repository as teams
from tollgate.usage import daily
from tollgate.usage.daily import Part
from tollgate.usage.figures import total
from tollgate.usage.model import Days, days_between
from tollgate.usage.service import NO_TEAM

MOST_CUSTOMERS = 1_000
_Name = Annotated[str | None, Field(max_length=1024)]
K = TypeVar("K", bound=Hashable)


class ReportQuery(BaseModel):
    """Days in UTC, both included. One key, team or customer can be named, whatever is grouped by."""

    start_date: date | None = None
    end_date: date | None = None
    group_by: Literal["team", "customer", "api_key"] = "team"
    api_key: _Name = None
    team_id: _Name = None
    customer_id: _Name = None

    def days(self) -> Days:
        if self.start_date is None or self.end_date is None:
            raise DialectError(400, "Please provide start_date and end_date")
        return days_between(self.start_date, self.end_date)


class ModelSpend(DialectRow):
    """What one model cost; ``api_key`` null: by keys that are not known, or by none."""

    model: str
    spend: Amount
    total_tokens: int
    api_key: str | None = None


class TeamSpend(DialectRow):
    team_name: str
    total_spend: Amount
    metadata: list[ModelSpend]


class CustomerSpend(DialectRow):
    customer: str
    total_spend: Amount
    metadata: list[ModelSpend]


class TeamDay(DialectRow):
    group_by_day: Moment
    teams: list[TeamSpend]


class CustomerDay(DialectRow):
    group_by_day: Moment
    customers: list[CustomerSpend]


class ModelCost(DialectRow):
    model: str
    total_cost: Amount
    total_input_tokens: int
    total_output_tokens: int


class KeyCost(DialectRow):
    """What one key cost in all of the days."""

    api_key: str
    total_cost: Amount
    total_input_tokens: int
    total_output_tokens: int
    model_details: list[ModelCost]


Report = list[TeamDay] | list[CustomerDay] | list[KeyCost]


def report(caller: Principal, query: ReportQuery) -> Report:
    """Costs the usage buckets of the days, never the calls. Keys are the newest 1,000, customers those with a row."""
    authorize(caller, Action.USAGE_READ_PLATFORM)
    days = query.days()
    if query.customer_id or query.group_by == "customer":
        return _by_customer(query, days)
    keyed = [part for part in _keyed(query, days) if query.team_id in {None, "", part.team_id}]
    if query.group_by == "api_key":
        return _by_key(keyed)
    owners = [part for part in daily.of_owners(days.first, days.last) if query.team_id in {None, "", part.team_id}]
    return _by_team(keyed if query.api_key else owners, keyed)


def _keyed(query: ReportQuery, days: Days) -> list[Part]:
    if query.api_key:
        names: Iterable[str] = [id_of(query.api_key)]
    else:
        names = (key.key_id for key in every_key())
    return daily.of_scopes(keys.USAGE_KEY, names, days.first, days.last)


def _by_team(parts: Sequence[Part], keyed: Sequence[Part]) -> list[TeamDay]:
    known = teams.find_all(part.team_id for part in parts if part.team_id is not None)
    by_key = _grouped(keyed, lambda part: (part.day, part.team_id, part.model))

    def spend_of(team_id: str | None, own: list[Part]) -> TeamSpend:
        team = known.get(team_id or "")
        models = _grouped(own, lambda part: (part.day, part.team_id, part.model))
        metadata = [row for place, rest in models.items() for row in _models(rest, by_key.get(place, []))]
        name = (team.team_alias if team is not None else None) or team_id or NO_TEAM
        return TeamSpend(team_name=name, total_spend=_cost(own), metadata=metadata)

    return [
        TeamDay(
            group_by_day=_midnight(day),
            teams=[spend_of(team_id, own) for team_id, own in _grouped(found, lambda part: part.team_id).items()],
        )
        for day, found in _grouped(parts, lambda part: part.day).items()
    ]


def _models(parts: Sequence[Part], keyed: Sequence[Part]) -> list[ModelSpend]:
    """What a model cost by key, and what is left of it."""
    model = parts[0].model or ""
    by_key = _grouped(keyed, lambda part: part.name)
    rows = [
        ModelSpend(model=model, spend=_cost(own), total_tokens=_tokens(own), api_key=k) for k, own in by_key.items()
    ]
    spend, tokens = _cost(parts) - _cost(keyed), _tokens(parts) - _tokens(keyed)
    if spend > 0 or tokens > 0 or not rows:
        rows.append(ModelSpend(model=model, spend=max(spend, Decimal(0)), total_tokens=max(tokens, 0)))
    return rows


def _by_customer(query: ReportQuery, days: Days) -> list[CustomerDay]:
    known = (customer.customer_id for customer in islice(customers.every(), MOST_CUSTOMERS))
    names = [query.customer_id] if query.customer_id else known
    parts = daily.of_scopes(keys.USAGE_CUSTOMER, names, days.first, days.last)
    wanted = [part for part in parts if query.team_id in {None, "", part.team_id}]
    return [
        CustomerDay(
            group_by_day=_midnight(day),
            customers=[
                CustomerSpend(
                    customer=name or "",
                    total_spend=_cost(own),
                    metadata=[
                        ModelSpend(model=model or "", spend=_cost(rest), total_tokens=_tokens(rest))
                        for model, rest in _grouped(own, lambda part: part.model).items()
                    ],
                )
                for name, own in _grouped(found, lambda part: part.name).items()
            ],
        )
        for day, found in _grouped(wanted, lambda part: part.day).items()
    ]


def _by_key(keyed: Sequence[Part]) -> list[KeyCost]:
    found = [
        KeyCost(
            api_key=name or "",
            **_costs(own),
            model_details=[
                ModelCost(model=model or "", **_costs(rest))
                for model, rest in _grouped(own, lambda part: part.model).items()
            ],
        )
        for name, own in _grouped(keyed, lambda part: part.name).items()
    ]
    return sorted(found, key=lambda row: row.total_cost, reverse=True)


def _costs(parts: Sequence[Part]) -> dict[str, Decimal | int]:
    figures = total(part.figures for part in parts)
    return {
        "total_cost": figures.cost_usd,
        "total_input_tokens": int(figures.input_tokens),
        "total_output_tokens": int(figures.output_tokens),
    }


def _grouped(parts: Iterable[Part], key: Callable[[Part], K]) -> dict[K, list[Part]]:
    """By whatever ``key`` gives, in order of it; None first."""
    found: dict[K, list[Part]] = defaultdict(list)
    for part in parts:
        found[key(part)].append(part)
    return dict(sorted(found.items(), key=lambda pair: str(pair[0] or "")))


def _cost(parts: Iterable[Part]) -> Decimal:
    return total(part.figures for part in parts).cost_usd


def _tokens(parts: Iterable[Part]) -> int:
    return int(total(part.figures for part in parts).tokens)


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time.min, UTC)
