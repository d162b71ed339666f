"""POST /model/update: change the fields that are sent of the model that ``model_info.id`` names."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import models
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.models import UpdateModel
from tollgate.litellm.models_rows import StoredModel

app = litellm_api(Action.MODEL_WRITE, Shape.AUTH)


@app.post("/model/update", summary="Update a model", tags=["LiteLLM: models"])
def update_stored_model(body: UpdateModel, caller: Caller) -> StoredModel:
    return models.update(caller, body)


handler = app.resolve
