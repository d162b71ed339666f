"""GET /api/archive/teams/{team_uid}/usage: what a team used that was deleted."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.offboarding import offboarding_service
from tollgate.usage.model import PeriodText, TeamUsage

app = admin_api(Action.ARCHIVE_READ)


@app.get("/api/archive/teams/<team_uid>/usage", summary="Get a deleted team's usage", tags=["Teams"])
def get_archived_team_usage(team_uid: str, period: Annotated[PeriodText, Query()], caller: Caller) -> TeamUsage:
    return offboarding_service().usage_of_team(caller, team_uid, period)


handler = app.resolve
