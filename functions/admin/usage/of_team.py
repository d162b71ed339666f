"""GET /api/teams/{team_id}/usage: what a team used in a month, on a day, or since it exists."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.usage.model import PeriodText, TeamUsage
from tollgate.usage.service import usage_service

app = admin_api(Action.USAGE_READ)


@app.get("/api/teams/<team_id>/usage", summary="Get a team's usage", tags=["Usage"])
def get_team_usage(team_id: str, period: Annotated[PeriodText, Query()], caller: Caller) -> TeamUsage:
    return usage_service().of_team(caller, team_id, period)


handler = app.resolve
