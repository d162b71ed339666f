"""GET /api/credits/transactions: a team's ledger, newest first, paged."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.credits.model import TransactionList
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging

app = admin_api(Action.CREDITS_READ)


@app.get("/api/credits/transactions", summary="List credit transactions", tags=["Credits"])
def list_credit_transactions(
    team_id: Annotated[str, Query(min_length=1, max_length=256)], caller: Caller, paging: Paging
) -> TransactionList:
    return credit_service().transactions(caller, team_id, paging.request())


handler = app.resolve
