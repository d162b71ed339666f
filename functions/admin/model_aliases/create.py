"""POST /api/model-aliases/create: a new model alias with its targets and prices."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model import CreateModelAlias, ModelAliasAnswer
from tollgate.models.service import model_service

app = admin_api(Action.MODEL_WRITE)


@app.post("/api/model-aliases/create", summary="Create a model alias", tags=["Models"])
def create_model_alias(body: CreateModelAlias, caller: Caller) -> ModelAliasAnswer:
    return model_service().create(caller, body)


handler = app.resolve
