"""GET /api/organizations/{organization_id}: an organization with its teams and what they used."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.organizations.model import OrganizationDetails
from tollgate.organizations.service import organization_service

app = admin_api(Action.ORGANIZATION_READ)


@app.get("/api/organizations/<organization_id>", summary="Get an organization", tags=["Organizations"])
def get_organization(organization_id: str, caller: Caller) -> OrganizationDetails:
    return organization_service().details(caller, organization_id)


handler = app.resolve
