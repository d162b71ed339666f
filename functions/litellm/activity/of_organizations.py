"""GET /organization/daily/activity: what organizations used day by day."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import activity
from tollgate.litellm.activity import OrganizationActivityQuery
from tollgate.litellm.activity_rows import SpendAnalytics
from tollgate.litellm.api import litellm_api

app = litellm_api(Action.USAGE_READ_OWN)


@app.get("/organization/daily/activity", summary="Daily activity of organizations", tags=["LiteLLM: spend"])
def organization_daily_activity(caller: Caller, query: Annotated[OrganizationActivityQuery, Query()]) -> SpendAnalytics:
    return activity.of_organizations(caller, query)


handler = app.resolve
