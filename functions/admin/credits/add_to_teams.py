"""POST /api/credits/add-to-teams: add the same amount to every team of an organization; a result for each."""

from aws_lambda_powertools.event_handler import Request

from tollgate.auth.policy import Action
from tollgate.credits.grants import GrantedToTeams, GrantToTeams, grant_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, IdempotencyKey, once

app = admin_api(Action.CREDITS_ADD)


@app.post("/api/credits/add-to-teams", summary="Add credits to all teams", tags=["Credits"])
def grant_to_teams(body: GrantToTeams, caller: Caller, request: Request, key: IdempotencyKey = None) -> GrantedToTeams:
    return grant_service().to_teams(caller, body, once(request, caller, key))


handler = app.resolve
