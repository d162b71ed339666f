"""GET /api/model-groups/{alias}/models: the models of a group, in the order in which they are tried."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model_groups import ModelsOfGroup, model_group_service

app = admin_api(Action.MODEL_READ)


@app.get("/api/model-groups/<alias>/models", summary="List the models of a group", tags=["Models"])
def list_models_of_group(alias: str, caller: Caller) -> ModelsOfGroup:
    return model_group_service().models(caller, alias)


handler = app.resolve
