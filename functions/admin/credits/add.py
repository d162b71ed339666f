"""POST /api/credits/add: add credits to the account of a team or an organization; the very next call can spend them."""

from aws_lambda_powertools.event_handler import Request

from tollgate.auth.policy import Action
from tollgate.credits.model import AddCredits, CreditsAdded
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, IdempotencyKey, once

app = admin_api(Action.CREDITS_ADD)


@app.post("/api/credits/add", summary="Add credits", tags=["Credits"])
def add_credits(body: AddCredits, caller: Caller, request: Request, key: IdempotencyKey = None) -> CreditsAdded:
    return credit_service().add(caller, body, once(request, caller, key))


handler = app.resolve
