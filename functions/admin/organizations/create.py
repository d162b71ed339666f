"""POST /api/organizations/create: a new organization."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.organizations.model import CreateOrganization, OrganizationAnswer
from tollgate.organizations.service import organization_service

app = admin_api(Action.ORGANIZATION_CREATE)


@app.post("/api/organizations/create", summary="Create an organization", tags=["Organizations"])
def create_organization(body: CreateOrganization, caller: Caller) -> OrganizationAnswer:
    return organization_service().create(caller, body)


handler = app.resolve
