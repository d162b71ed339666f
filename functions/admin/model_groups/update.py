"""PUT /api/model-groups/{alias}: change names, status or models; it counts on the very next call."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model_groups import ModelGroupAnswer, UpdateModelGroup, model_group_service

app = admin_api(Action.MODEL_WRITE)


@app.put("/api/model-groups/<alias>", summary="Update a model group", tags=["Models"])
def update_model_group(alias: str, body: UpdateModelGroup, caller: Caller) -> ModelGroupAnswer:
    return model_group_service().update(caller, alias, body)


handler = app.resolve
