"""DELETE /api/organizations/{organization_id}: an organization with all that hangs under it."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.organizations.model import OrganizationDeleted
from tollgate.tenants.offboarding import offboarding_service

app = admin_api(Action.ORGANIZATION_DELETE)


@app.delete("/api/organizations/<organization_id>", summary="Delete an organization", tags=["Organizations"])
def delete_organization(
    organization_id: str,
    caller: Caller,
    *,
    purge: Annotated[bool, Query(description="its calls, jobs and usage go, too, instead of into the archive")] = False,
) -> OrganizationDeleted:
    return offboarding_service().delete_organization(caller, organization_id, purge=purge)


handler = app.resolve
