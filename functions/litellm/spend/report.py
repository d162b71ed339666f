"""GET /global/spend/report: spend by day and team, by day and customer, or by key."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_report
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_report import Report, ReportQuery

app = litellm_api(Action.USAGE_READ_PLATFORM, Shape.SPEND)


@app.get("/global/spend/report", summary="Report spend", tags=["LiteLLM: spend"])
def report_spend(caller: Caller, query: Annotated[ReportQuery, Query()]) -> Report:
    return spend_report.report(caller, query)


handler = app.resolve
