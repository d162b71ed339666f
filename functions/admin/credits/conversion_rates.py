"""GET /api/credits/teams/{team_id}/conversion-rates: what a credit of the team buys."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.pricing import ConversionRates, pricing_service

app = admin_api(Action.CREDITS_READ)


@app.get("/api/credits/teams/<team_id>/conversion-rates", summary="Get conversion rates", tags=["Credits"])
def get_conversion_rates(team_id: str, caller: Caller) -> ConversionRates:
    return pricing_service().rates(caller, team_id)


handler = app.resolve
