"""Costs as answers (D-28, Q-19): what providers got, what clients were charged, and what is left of it. USD."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from tollgate.core import money
from tollgate.core.fields import Amount, ResponseModel, Timestamp
from tollgate.usage.figures import Figures

_HUNDRED = Decimal(100)


class PlainCosts(ResponseModel):
    """``client_cost_usd`` is provider cost with the markup, ``unbilled_cost_usd`` what uncharged jobs cost (Q-57)."""

    provider_cost_usd: Amount
    client_cost_usd: Amount
    credits_charged: Amount
    unbilled_cost_usd: Amount


class JobTypeCosts(PlainCosts):
    jobs: int


class Costs(PlainCosts):
    """What is earned is credits times their price (Q-19).

    Credits without a price, of teams that are charged by tokens or are gone, are ``unpriced_credits``: they are not in
    ``credit_revenue_usd``, which is null where no credit has a price; then, and where some have none, there is no
    profit to tell. ``markup_pct`` is the profit in percent of the provider cost, ``margin_pct`` of the revenue (D-17),
    null when that is 0.
    """

    credit_revenue_usd: Amount | None
    unpriced_credits: Amount
    profit_usd: Amount | None
    markup_pct: Amount | None
    margin_pct: Amount | None

    @classmethod
    def of(cls, figures: Figures, revenue: Decimal, unpriced: Decimal) -> Costs:
        """``revenue`` in USD is of all credits but the ``unpriced`` ones."""
        profit = None if unpriced else revenue - figures.provider_cost_usd
        return cls(
            **plain_costs(figures),
            credit_revenue_usd=None if unpriced and unpriced == figures.credits else revenue,
            unpriced_credits=unpriced,
            profit_usd=profit,
            markup_pct=_percentage(profit, figures.provider_cost_usd),
            margin_pct=_percentage(profit, revenue),
        )


class DailyCosts(Costs):
    date: Annotated[str, Field(examples=["2026-03-01"])]


class CostReport(Costs):
    """The trend has an entry for every day of the range, days without calls too."""

    start_date: str
    end_date: str
    direct_calls: PlainCosts
    by_job_type: dict[str, JobTypeCosts]
    daily: list[DailyCosts]
    as_of: Timestamp


class TeamCosts(CostReport):
    team_id: str


class OrganizationCosts(CostReport):
    """Calls of no team are under ``Unassigned``; their credits are worth a dollar each, as plain calls cost them."""

    organization_id: str
    by_team: dict[str, Costs]


def plain_costs(figures: Figures) -> dict[str, Decimal]:
    """The fields of ``PlainCosts``."""
    return {
        "provider_cost_usd": figures.provider_cost_usd,
        "client_cost_usd": figures.cost_usd,
        "credits_charged": figures.credits,
        "unbilled_cost_usd": figures.unbilled_usd,
    }


def _percentage(part: Decimal | None, whole: Decimal) -> Decimal | None:
    ratio = None if part is None else money.ratio(part, whole)
    return None if ratio is None else money.strip(ratio * _HUNDRED)
