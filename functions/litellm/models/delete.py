"""POST /model/delete: remove a model; its name goes with the last one."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import models
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.models import DeleteModel, ModelDeleted

app = litellm_api(Action.MODEL_WRITE, Shape.AUTH)


@app.post("/model/delete", summary="Delete a model", tags=["LiteLLM: models"])
def delete_stored_model(body: DeleteModel, caller: Caller) -> ModelDeleted:
    return models.delete(caller, body)


handler = app.resolve
