"""GET /global/spend/logs: what was spent on each day."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_global
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_global import DayQuery, DaySpend

app = litellm_api(Action.USAGE_READ_PLATFORM, Shape.SPEND)


@app.get("/global/spend/logs", summary="Spend by day", tags=["LiteLLM: spend"])
def global_spend_by_day(caller: Caller, query: Annotated[DayQuery, Query()]) -> list[DaySpend]:
    return spend_global.by_day(caller, query)


handler = app.resolve
