"""What a team's credits buy, and what its calls cost its client (contract 3, Q-19). Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.fields import Amount, RequestModel, ResponseModel, Timestamp
from tollgate.teams.access import reachable
from tollgate.teams.model import (
    DEFAULT_TOKENS_PER_CREDIT,
    BudgetMode,
    CreditPrice,
    Markup,
    Rate,
    Team,
    TokensPerCredit,
    UpdateTeam,
)
from tollgate.tenants.teams import TeamService


class UpdateConversionRates(RequestModel):
    """Only what is sent changes; null means the default."""

    tokens_per_credit: TokensPerCredit | None = None
    credits_per_dollar: Rate | None = None


class UpdateMarkup(UpdateConversionRates):
    """Only what is sent changes; null means the default."""

    cost_markup_percentage: Markup | None = None
    budget_mode: BudgetMode | None = None
    credit_price_usd: CreditPrice | None = None


class UsingDefaults(ResponseModel):
    tokens_per_credit: bool
    credits_per_dollar: bool


class ConversionRates(ResponseModel):
    team_id: str
    tokens_per_credit: int
    credits_per_dollar: Amount
    budget_mode: BudgetMode
    using_defaults: UsingDefaults


class ConversionRatesChanged(ConversionRates):
    message: str


class TeamMarkup(ConversionRates):
    """``credit_price_usd`` is what counts: as it was set, else by the mode; null where nobody knows it (Q-19)."""

    cost_markup_percentage: Amount
    credit_price_usd: Annotated[Amount | None, Field(description="USD")]
    updated_at: Timestamp


@dataclass(frozen=True, slots=True)
class PricingService:
    """A view of the team's own settings; changing them is the platform's."""

    clock: Clock = utc_now

    def rates(self, caller: Principal, team_id: str) -> ConversionRates:
        return ConversionRates.model_validate(_rates_of(reachable(caller, team_id, Action.CREDITS_READ)))

    def set_rates(self, caller: Principal, team_id: str, request: UpdateConversionRates) -> ConversionRatesChanged:
        """The next call is charged by them."""
        rates = _rates_of(self._update(caller, team_id, request))
        return ConversionRatesChanged.model_validate(rates | {"message": "Conversion rates updated successfully"})

    def set_markup(self, caller: Principal, team_id: str, request: UpdateMarkup) -> TeamMarkup:
        """The next call costs by it."""
        team = self._update(caller, team_id, request)
        shown = {
            "cost_markup_percentage": team.cost_markup_percentage,
            "credit_price_usd": team.price_usd,
            "updated_at": team.updated_at,
        }
        return TeamMarkup.model_validate(_rates_of(team) | shown)

    def _update(self, caller: Principal, team_id: str, request: BaseModel) -> Team:
        reachable(caller, team_id, Action.CREDITS_CONFIGURE)
        if request.model_fields_set:
            changes = UpdateTeam.model_validate(request.model_dump(exclude_unset=True))
            TeamService(self.clock).update(caller, team_id, changes)
        return reachable(caller, team_id, Action.CREDITS_CONFIGURE)


def _rates_of(team: Team) -> dict[str, object]:
    """The fields of ``ConversionRates``, with the defaults where they count."""
    return {
        "team_id": team.team_id,
        "tokens_per_credit": team.tokens_per_credit or DEFAULT_TOKENS_PER_CREDIT,
        "credits_per_dollar": team.rate_usd,
        "budget_mode": team.budget_mode,
        "using_defaults": UsingDefaults(
            tokens_per_credit=team.tokens_per_credit is None, credits_per_dollar=team.credits_per_dollar is None
        ),
    }


@cache
def pricing_service() -> PricingService:
    return PricingService()
