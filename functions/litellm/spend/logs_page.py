"""GET /spend/logs/v2: a page of calls with what they cost."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_logs
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_logs import LogPage, PagedLogQuery

app = litellm_api(Action.USAGE_READ_OWN, Shape.SPEND)


@app.get("/spend/logs/v2", summary="Page calls with their spend", tags=["LiteLLM: spend"])
def page_spend_logs(caller: Caller, query: Annotated[PagedLogQuery, Query()]) -> LogPage:
    return spend_logs.page(caller, query)


handler = app.resolve
