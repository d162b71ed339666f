"""PATCH /model/{model_id}/update: the same by path."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import models
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.models import PatchModel
from tollgate.litellm.models_rows import StoredModel

app = litellm_api(Action.MODEL_WRITE, Shape.INTERNAL)


@app.patch("/model/<model_id>/update", summary="Patch a model", tags=["LiteLLM: models"])
def patch_model(model_id: str, body: PatchModel, caller: Caller) -> StoredModel:
    return models.patch(caller, model_id, body)


handler = app.resolve
