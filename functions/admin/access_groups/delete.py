"""DELETE /api/model-access-groups/{group_name}: remove an access group, from every team too."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.groups import access_group_service
from tollgate.models.model import AccessGroupDeleted

app = admin_api(Action.MODEL_WRITE)


@app.delete("/api/model-access-groups/<group_name>", summary="Delete an access group", tags=["Access groups"])
def delete_access_group(group_name: str, caller: Caller) -> AccessGroupDeleted:
    return access_group_service().delete(caller, group_name)


handler = app.resolve
