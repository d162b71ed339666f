"""POST /model/new: a model; of a name that there is already, one more to share its calls with."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import models
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.models import NewModel
from tollgate.litellm.models_rows import StoredModel

app = litellm_api(Action.MODEL_WRITE, Shape.AUTH)


@app.post("/model/new", summary="New model", tags=["LiteLLM: models"])
def new_model(body: NewModel, caller: Caller) -> StoredModel:
    return models.new(caller, body)


handler = app.resolve
