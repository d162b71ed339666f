"""GET /v2/model/info: a page of the models that the caller may use."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import models_lists
from tollgate.litellm.api import litellm_api
from tollgate.litellm.models_lists import ModelPage, ModelQuery

app = litellm_api(Action.MODEL_READ_OWN)


@app.get("/v2/model/info", summary="A page of models", tags=["LiteLLM: models"])
def page_of_models(query: Annotated[ModelQuery, Query()], caller: Caller) -> ModelPage:
    return models_lists.page(caller, query)


handler = app.resolve
