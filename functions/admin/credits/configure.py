"""PUT /api/credits/settings: change how the account of a team or an organization refuses, refills and warns."""

from tollgate.auth.policy import Action
from tollgate.credits.model import CreditSettings, OfAccount
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import AccountOrganization, AccountTeam, Caller
from tollgate.limits.account_fields import UpdateAccountSettings

app = admin_api(Action.CREDITS_CONFIGURE)


@app.put("/api/credits/settings", summary="Change an account's settings", tags=["Credits"])
def update_credit_settings(
    body: UpdateAccountSettings,
    caller: Caller,
    team_id: AccountTeam = None,
    organization_id: AccountOrganization = None,
) -> CreditSettings:
    named = OfAccount(team_id=team_id, organization_id=organization_id)
    return credit_service().configure(caller, named, body)


handler = app.resolve
