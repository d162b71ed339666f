"""GET /global/spend/models: the models that most was spent on."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_global
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_global import ModelTotal, TopQuery

app = litellm_api(Action.USAGE_READ_PLATFORM, Shape.SPEND)


@app.get("/global/spend/models", summary="Spend by model", tags=["LiteLLM: spend"])
def global_spend_by_model(caller: Caller, query: Annotated[TopQuery, Query()]) -> list[ModelTotal]:
    return spend_global.by_model(caller, query)


handler = app.resolve
