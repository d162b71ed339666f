"""GET /api/credits/balance: a team's account at this moment."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.credits.model import CreditBalance
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDITS_READ)


@app.get("/api/credits/balance", summary="Get a credit balance", tags=["Credits"])
def get_credit_balance(team_id: Annotated[str, Query(min_length=1, max_length=256)], caller: Caller) -> CreditBalance:
    return credit_service().balance(caller, team_id)


handler = app.resolve
