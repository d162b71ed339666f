"""GET /user/daily/activity: what a user, or everybody, used day by day."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import activity
from tollgate.litellm.activity import UserActivityQuery
from tollgate.litellm.activity_rows import SpendAnalytics
from tollgate.litellm.api import litellm_api

app = litellm_api(Action.USAGE_READ_OWN)


@app.get("/user/daily/activity", summary="Daily activity of a user", tags=["LiteLLM: spend"])
def user_daily_activity(caller: Caller, query: Annotated[UserActivityQuery, Query()]) -> SpendAnalytics:
    return activity.of_user(caller, query)


handler = app.resolve
