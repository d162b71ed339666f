"""GET /model/info, /v1/model/info: the models that the caller may use."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import models_lists
from tollgate.litellm.api import litellm_api
from tollgate.litellm.models_lists import ModelList

app = litellm_api(Action.MODEL_READ_OWN)


@app.get("/v1/model/info", summary="Models that the caller may use", tags=["LiteLLM: models"])
@app.get("/model/info", summary="Models that the caller may use", tags=["LiteLLM: models"])
def info_models(
    caller: Caller, litellm_model_id: Annotated[str | None, Query(max_length=256, description="only this one")] = None
) -> ModelList:
    return models_lists.info(caller, litellm_model_id)


handler = app.resolve
