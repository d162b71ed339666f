"""POST /api/model-access-groups/{group_name}/add-models: add models to a group."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.groups import access_group_service
from tollgate.models.model import AccessGroupAnswer, GroupModelsChange

app = admin_api(Action.MODEL_WRITE)


@app.post(
    "/api/model-access-groups/<group_name>/add-models", summary="Add models to an access group", tags=["Access groups"]
)
def add_models(group_name: str, body: GroupModelsChange, caller: Caller) -> AccessGroupAnswer:
    return access_group_service().add_models(caller, group_name, body.model_aliases)


handler = app.resolve
