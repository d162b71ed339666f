"""GET /api/organizations: organizations, newest first; searched by name or id, filtered by status, paged."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.deletions.model import DeletedOrganizationList
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.organizations.model import OrganizationList, OrganizationStatus, OrganizationSummary
from tollgate.organizations.service import organization_service
from tollgate.tenants.offboarding import offboarding_service

app = admin_api(Action.ORGANIZATION_LIST)


@app.get("/api/organizations", summary="List organizations", tags=["Organizations"])
def list_organizations(
    caller: Caller,
    paging: Paging,
    search: Annotated[str | None, Query(max_length=200)] = None,
    status: Annotated[OrganizationStatus | Literal["deleted"] | None, Query()] = None,
) -> OrganizationList | DeletedOrganizationList:
    if status == "deleted":
        return offboarding_service().deleted_organizations(caller, paging.request(), search)
    page = organization_service().list(caller, paging.request(), search, status)
    return OrganizationList(
        organizations=[OrganizationSummary.of(organization) for organization in page.entries],
        next_cursor=page.next_cursor,
        truncated=page.truncated,
    )


handler = app.resolve
