"""POST /api/model-access-groups/create: a new access group; one of a builtin group's name replaces that."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.groups import access_group_service
from tollgate.models.model import AccessGroupAnswer, CreateAccessGroup

app = admin_api(Action.MODEL_WRITE)


@app.post("/api/model-access-groups/create", summary="Create an access group", tags=["Access groups"])
def create_access_group(body: CreateAccessGroup, caller: Caller) -> AccessGroupAnswer:
    return access_group_service().create(caller, body)


handler = app.resolve
