"""POST /api/credits/refund: give back what an interrupted call, a job or a deduction charged, once."""

from aws_lambda_powertools.event_handler import Request

from tollgate.auth.policy import Action
from tollgate.credits.model import RefundCredits, TransactionEntry
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, IdempotencyKey, once
from tollgate.jobs import refunds

app = admin_api(Action.CREDITS_REFUND)


@app.post("/api/credits/refund", summary="Refund credits", tags=["Credits"])
def refund_credits(
    body: RefundCredits, caller: Caller, request: Request, key: IdempotencyKey = None
) -> TransactionEntry:
    return refunds.refund(caller, body, once(request, caller, key))


handler = app.resolve
