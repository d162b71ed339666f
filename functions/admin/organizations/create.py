"""POST /api/organizations/create: a new organization, on request with its first team."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.organizations.model import CreateOrganization, OrganizationAnswer
from tollgate.tenants import founding
from tollgate.tenants.founding import OrganizationFounded

app = admin_api(Action.ORGANIZATION_CREATE)


@app.post("/api/organizations/create", summary="Create an organization", tags=["Organizations"])
def create_organization(body: CreateOrganization, caller: Caller) -> OrganizationFounded | OrganizationAnswer:
    return founding.found(caller, body)


handler = app.resolve
