"""POST /api/credits/transfer: move credits from an organization's account to its team's, or back."""

from aws_lambda_powertools.event_handler import Request

from tollgate.auth.policy import Action
from tollgate.credits.model import CreditsTransferred, TransferCredits
from tollgate.credits.movements import movement_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, IdempotencyKey, once

app = admin_api(Action.CREDITS_TRANSFER)


@app.post("/api/credits/transfer", summary="Transfer credits", tags=["Credits"])
def transfer_credits(
    body: TransferCredits, caller: Caller, request: Request, key: IdempotencyKey = None
) -> CreditsTransferred:
    return movement_service().transfer(caller, body, once(request, caller, key))


handler = app.resolve
