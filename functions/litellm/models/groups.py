"""GET /model_group/info: what models of one name are together."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import models_lists
from tollgate.litellm.api import litellm_api
from tollgate.litellm.models_lists import ModelGroups

app = litellm_api(Action.MODEL_READ_OWN)


@app.get("/model_group/info", summary="Groups of models", tags=["LiteLLM: models"])
def info_model_groups(
    caller: Caller, model_group: Annotated[str | None, Query(max_length=256, description="only this one")] = None
) -> ModelGroups:
    return models_lists.groups(caller, model_group)


handler = app.resolve
