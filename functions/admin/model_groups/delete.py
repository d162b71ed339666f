"""DELETE /api/model-groups/{alias}: remove a model group, from its teams and access groups too."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model_groups import ModelGroupDeleted, model_group_service

app = admin_api(Action.MODEL_WRITE)


@app.delete("/api/model-groups/<alias>", summary="Delete a model group", tags=["Models"])
def delete_model_group(alias: str, caller: Caller) -> ModelGroupDeleted:
    return model_group_service().delete(caller, alias)


handler = app.resolve
