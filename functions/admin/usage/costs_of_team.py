"""GET /api/teams/{team_id}/costs: what a team cost and brought in, day by day."""

from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.usage.cost_model import TeamCosts
from tollgate.usage.costs import cost_service

app = admin_api(Action.COSTS_READ)


@app.get("/api/teams/<team_id>/costs", summary="Get a team's costs", tags=["Usage"])
def get_team_costs(
    team_id: str, caller: Caller, start_date: Annotated[date, Query()], end_date: Annotated[date, Query()]
) -> TeamCosts:
    return cost_service().of_team(caller, team_id, start_date, end_date)


handler = app.resolve
