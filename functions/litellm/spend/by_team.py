"""GET /global/spend/teams: what teams have spent, by day and in all."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_global
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_global import GlobalQuery, TeamTotals

app = litellm_api(Action.USAGE_READ_PLATFORM, Shape.SPEND)


@app.get("/global/spend/teams", summary="Spend by team", tags=["LiteLLM: spend"])
def global_spend_by_team(caller: Caller, query: Annotated[GlobalQuery, Query()]) -> TeamTotals:
    return spend_global.by_team(caller, query)


handler = app.resolve
