"""POST /api/credits/teams/{team_id}/check: whether the team's calls could be paid up to an amount."""

from tollgate.auth.policy import Action
from tollgate.credits.checks import CheckCredits, CreditCheck, check_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDITS_READ)


@app.post("/api/credits/teams/<team_id>/check", summary="Check a team's credits", tags=["Credits"])
def check_team_credits(team_id: str, body: CheckCredits, caller: Caller) -> CreditCheck:
    return check_service().check(caller, team_id, body)


handler = app.resolve
