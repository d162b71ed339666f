"""GET /spend/logs: calls with what they cost, or what was spent on each day."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_logs
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_logs import LogQuery
from tollgate.litellm.spend_rows import SpendLog, headers

app = litellm_api(Action.USAGE_READ_OWN, Shape.SPEND)


@app.get("/spend/logs", summary="List calls with their spend", tags=["LiteLLM: spend"])
def list_spend_logs(
    caller: Caller, query: Annotated[LogQuery, Query()]
) -> Response[list[SpendLog] | list[dict[str, Any]]]:
    found = spend_logs.listed(caller, query)
    return Response(200, "application/json", found.rows, headers(truncated=found.truncated))


handler = app.resolve
