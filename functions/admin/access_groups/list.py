"""GET /api/model-access-groups: access groups by name, builtin ones included; paged."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.models.groups import access_group_service
from tollgate.models.model import AccessGroupList, AccessGroupSummary

app = admin_api(Action.MODEL_READ)


@app.get("/api/model-access-groups", summary="List access groups", tags=["Access groups"])
def list_access_groups(caller: Caller, paging: Paging) -> AccessGroupList:
    page = access_group_service().list(caller, paging.request())
    return AccessGroupList(
        access_groups=[AccessGroupSummary.of(group) for group in page.entries], next_cursor=page.next_cursor
    )


handler = app.resolve
