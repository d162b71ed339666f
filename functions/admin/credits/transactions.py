"""GET /api/credits/transactions: the ledger of a team or an organization, newest first, paged."""

from tollgate.auth.policy import Action
from tollgate.credits.model import OfAccount, TransactionList
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import AccountOrganization, AccountTeam, Caller, Paging

app = admin_api(Action.CREDITS_READ)


@app.get("/api/credits/transactions", summary="List credit transactions", tags=["Credits"])
def list_credit_transactions(
    caller: Caller, paging: Paging, team_id: AccountTeam = None, organization_id: AccountOrganization = None
) -> TransactionList:
    named = OfAccount(team_id=team_id, organization_id=organization_id)
    return credit_service().transactions(caller, named, paging.request())


handler = app.resolve
