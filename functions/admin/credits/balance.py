"""GET /api/credits/balance: the account of a team or an organization at this moment."""

from tollgate.auth.policy import Action
from tollgate.credits.model import CreditBalance, OfAccount
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import AccountOrganization, AccountTeam, Caller

app = admin_api(Action.CREDITS_READ)


@app.get("/api/credits/balance", summary="Get a credit balance", tags=["Credits"])
def get_credit_balance(
    caller: Caller, team_id: AccountTeam = None, organization_id: AccountOrganization = None
) -> CreditBalance:
    return credit_service().balance(caller, OfAccount(team_id=team_id, organization_id=organization_id))


handler = app.resolve
