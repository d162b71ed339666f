"""GET /api/model-access-groups/{group_name}: an access group, its models and the teams that hold it."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.groups import access_group_service
from tollgate.models.model import AccessGroupDetails

app = admin_api(Action.MODEL_READ)


@app.get("/api/model-access-groups/<group_name>", summary="Get an access group", tags=["Access groups"])
def get_access_group(group_name: str, caller: Caller) -> AccessGroupDetails:
    return access_group_service().details(caller, group_name)


handler = app.resolve
