"""GET /api/credits/teams/{team_id}/balance: a team's account at this moment."""

from tollgate.auth.policy import Action
from tollgate.credits.model import CreditBalance, OfAccount
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDITS_READ)


@app.get("/api/credits/teams/<team_id>/balance", summary="Get a team's credits", tags=["Credits"])
@app.get("/api/teams/<team_id>/credits", summary="Get a team's credits", tags=["Credits"])
def get_team_credits(team_id: str, caller: Caller) -> CreditBalance:
    return credit_service().balance(caller, OfAccount.of_team(team_id))


handler = app.resolve
