"""POST /api/credits/teams/{team_id}/add: add credits to a team's account; the very next call can spend them."""

from aws_lambda_powertools.event_handler import Request

from tollgate.auth.policy import Action
from tollgate.credits.model import AddCredits, CreditsAdded, Grant
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, IdempotencyKey, once

app = admin_api(Action.CREDITS_ADD)


@app.post("/api/credits/teams/<team_id>/add", summary="Add credits to a team", tags=["Credits"])
@app.post("/api/teams/<team_id>/credits/allocate", summary="Add credits to a team", tags=["Credits"])
def add_team_credits(
    team_id: str, body: Grant, caller: Caller, request: Request, key: IdempotencyKey = None
) -> CreditsAdded:
    adding = AddCredits.of_team(team_id, **body.model_dump())
    return credit_service().add(caller, adding, once(request, caller, key))


handler = app.resolve
