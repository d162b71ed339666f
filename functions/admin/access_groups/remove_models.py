"""POST /api/model-access-groups/{group_name}/remove-models: remove models from a group."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.groups import access_group_service
from tollgate.models.model import AccessGroupAnswer, GroupModelsChange

app = admin_api(Action.MODEL_WRITE)


@app.post(
    "/api/model-access-groups/<group_name>/remove-models",
    summary="Remove models from an access group",
    tags=["Access groups"],
)
def remove_models(group_name: str, body: GroupModelsChange, caller: Caller) -> AccessGroupAnswer:
    return access_group_service().remove_models(caller, group_name, body.model_aliases)


handler = app.resolve
