"""PUT /api/model-access-groups/{group_name}: change description or models."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.groups import access_group_service
from tollgate.models.model import AccessGroupAnswer, UpdateAccessGroup

app = admin_api(Action.MODEL_WRITE)


@app.put("/api/model-access-groups/<group_name>", summary="Update an access group", tags=["Access groups"])
def update_access_group(group_name: str, body: UpdateAccessGroup, caller: Caller) -> AccessGroupAnswer:
    return access_group_service().update(caller, group_name, body)


handler = app.resolve
