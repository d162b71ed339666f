"""GET /customer/daily/activity: what was used under the ids of customers, day by day."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import activity
from tollgate.litellm.activity import CustomerActivityQuery
from tollgate.litellm.activity_rows import SpendAnalytics
from tollgate.litellm.api import litellm_api

app = litellm_api(Action.USAGE_READ_PLATFORM)


@app.get("/customer/daily/activity", summary="Daily activity of customers", tags=["LiteLLM: spend"])
def customer_daily_activity(caller: Caller, query: Annotated[CustomerActivityQuery, Query()]) -> SpendAnalytics:
    return activity.of_customers(caller, query)


handler = app.resolve
