"""GET /api/credits/teams/{team_id}/transactions: a team's ledger, newest first, paged."""

from tollgate.auth.policy import Action
from tollgate.credits.model import OfAccount, TransactionList
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging

app = admin_api(Action.CREDITS_READ)


@app.get("/api/credits/teams/<team_id>/transactions", summary="List a team's transactions", tags=["Credits"])
@app.get("/api/teams/<team_id>/credits/transactions", summary="List a team's transactions", tags=["Credits"])
def list_team_transactions(team_id: str, caller: Caller, paging: Paging) -> TransactionList:
    return credit_service().transactions(caller, OfAccount.of_team(team_id), paging.request())


handler = app.resolve
