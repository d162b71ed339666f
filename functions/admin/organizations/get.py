"""GET /api/organizations/{organization_id}: an organization with its teams and what they used."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants import details
from tollgate.tenants.model import OrganizationDetails

app = admin_api(Action.ORGANIZATION_READ)


@app.get("/api/organizations/<organization_id>", summary="Get an organization", tags=["Organizations"])
def get_organization(organization_id: str, caller: Caller) -> OrganizationDetails:
    return details.of_organization(caller, organization_id)


handler = app.resolve
