"""GET /api/model-groups/{alias}: a model group with its models."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model_groups import ModelGroupAnswer, model_group_service

app = admin_api(Action.MODEL_READ)


@app.get("/api/model-groups/<alias>", summary="Get a model group", tags=["Models"])
def get_model_group(alias: str, caller: Caller) -> ModelGroupAnswer:
    return model_group_service().details(caller, alias)


handler = app.resolve
