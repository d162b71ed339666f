"""GET /api/credits/settings: how the account of a team or an organization refuses, refills and warns."""

from tollgate.auth.policy import Action
from tollgate.credits.model import CreditSettings, OfAccount
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import AccountOrganization, AccountTeam, Caller

app = admin_api(Action.CREDITS_READ)


@app.get("/api/credits/settings", summary="Get an account's settings", tags=["Credits"])
def get_credit_settings(
    caller: Caller, team_id: AccountTeam = None, organization_id: AccountOrganization = None
) -> CreditSettings:
    return credit_service().settings(caller, OfAccount(team_id=team_id, organization_id=organization_id))


handler = app.resolve
