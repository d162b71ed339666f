"""PUT /api/organizations/{organization_id}: change name or metadata."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.organizations.model import OrganizationAnswer, UpdateOrganization
from tollgate.organizations.service import organization_service

app = admin_api(Action.ORGANIZATION_UPDATE)


@app.put("/api/organizations/<organization_id>", summary="Update an organization", tags=["Organizations"])
def update_organization(organization_id: str, body: UpdateOrganization, caller: Caller) -> OrganizationAnswer:
    return organization_service().update(caller, organization_id, body)


handler = app.resolve
