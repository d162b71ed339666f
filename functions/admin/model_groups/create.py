"""POST /api/model-groups/create: a new model group, which is an alias with models in order of priority."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model_groups import CreateModelGroup, ModelGroupAnswer, model_group_service

app = admin_api(Action.MODEL_WRITE)


@app.post("/api/model-groups/create", summary="Create a model group", tags=["Models"])
def create_model_group(body: CreateModelGroup, caller: Caller) -> ModelGroupAnswer:
    return model_group_service().create(caller, body)


handler = app.resolve
