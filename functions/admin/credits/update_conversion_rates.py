"""PATCH /api/credits/teams/{team_id}/conversion-rates: change what a credit buys; null means the default."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.pricing import ConversionRatesChanged, UpdateConversionRates, pricing_service

app = admin_api(Action.CREDITS_CONFIGURE)


@app.patch("/api/credits/teams/<team_id>/conversion-rates", summary="Change conversion rates", tags=["Credits"])
def update_conversion_rates(team_id: str, body: UpdateConversionRates, caller: Caller) -> ConversionRatesChanged:
    return pricing_service().set_rates(caller, team_id, body)


handler = app.resolve
