"""GET /team/daily/activity: what teams used day by day."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import activity
from tollgate.litellm.activity import TeamActivityQuery
from tollgate.litellm.activity_rows import SpendAnalytics
from tollgate.litellm.api import litellm_api

app = litellm_api(Action.USAGE_READ_OWN)


@app.get("/team/daily/activity", summary="Daily activity of teams", tags=["LiteLLM: spend"])
def team_daily_activity(caller: Caller, query: Annotated[TeamActivityQuery, Query()]) -> SpendAnalytics:
    return activity.of_teams(caller, query)


handler = app.resolve
