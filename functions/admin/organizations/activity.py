"""GET /api/organizations/{organization_id}/activity: the latest changes and jobs in an organization, newest first."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants import activity
from tollgate.tenants.activity import OrganizationActivity

app = admin_api(Action.ORGANIZATION_READ)


@app.get(
    "/api/organizations/<organization_id>/activity", summary="Show an organization's activity", tags=["Organizations"]
)
def get_organization_activity(
    organization_id: str, caller: Caller, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> OrganizationActivity:
    return activity.recent(caller, organization_id, limit)


handler = app.resolve
