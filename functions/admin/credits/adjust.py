"""POST /api/credits/adjust: correct an account by a signed amount."""

from aws_lambda_powertools.event_handler import Request

from tollgate.auth.policy import Action
from tollgate.credits.model import AdjustCredits, TransactionEntry
from tollgate.credits.movements import movement_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, IdempotencyKey, once

app = admin_api(Action.CREDITS_ADJUST)


@app.post("/api/credits/adjust", summary="Adjust credits", tags=["Credits"])
def adjust_credits(
    body: AdjustCredits, caller: Caller, request: Request, key: IdempotencyKey = None
) -> TransactionEntry:
    return movement_service().adjust(caller, body, once(request, caller, key))


handler = app.resolve
