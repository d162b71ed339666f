"""PUT /api/organizations/{organization_id}/status: suspend or reactivate."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.organizations.model import OrganizationStatusAnswer, SetOrganizationStatus
from tollgate.organizations.service import organization_service

app = admin_api(Action.ORGANIZATION_SET_STATUS)


@app.put("/api/organizations/<organization_id>/status", summary="Set an organization's status", tags=["Organizations"])
def set_organization_status(
    organization_id: str, body: SetOrganizationStatus, caller: Caller
) -> OrganizationStatusAnswer:
    return organization_service().set_status(caller, organization_id, body)


handler = app.resolve
