"""GET /api/model-groups: model groups by name, paged."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.models.model_groups import ModelGroupList, model_group_service

app = admin_api(Action.MODEL_READ)


@app.get("/api/model-groups", summary="List model groups", tags=["Models"])
def list_model_groups(caller: Caller, paging: Paging) -> ModelGroupList:
    return model_group_service().list(caller, paging.request())


handler = app.resolve
