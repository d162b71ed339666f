"""GET /spend/tags: tags by what they have spent."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_totals
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_rows import headers
from tollgate.litellm.spend_totals import TagSpend, TagSpendQuery

app = litellm_api(Action.USAGE_READ_PLATFORM, Shape.SPEND)


@app.get("/spend/tags", summary="Tags by spend", tags=["LiteLLM: spend"])
def spend_of_tags(caller: Caller, query: Annotated[TagSpendQuery, Query()]) -> Response[list[TagSpend]]:
    found = spend_totals.of_tags(caller, query)
    return Response(200, "application/json", found.rows, headers(truncated=found.truncated))


handler = app.resolve
