"""GET /api/credits/trends: how quickly the credits of a team or an organization go, and how long they last."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.credits.model import OfAccount
from tollgate.credits.trends import MAX_DAYS, CreditTrends, trend_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import AccountOrganization, AccountTeam, Caller

app = admin_api(Action.CREDITS_READ)


@app.get("/api/credits/trends", summary="Get credit trends", tags=["Credits"])
def get_credit_trends(
    caller: Caller,
    team_id: AccountTeam = None,
    organization_id: AccountOrganization = None,
    days: Annotated[int, Query(ge=1, le=MAX_DAYS)] = 30,
) -> CreditTrends:
    return trend_service().read(caller, OfAccount(team_id=team_id, organization_id=organization_id), days)


handler = app.resolve
