"""GET /api/archive/organizations/{organization_uid}/usage: what an organization used that was deleted."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.offboarding import offboarding_service
from tollgate.usage.model import OrganizationUsageReport, PeriodText

app = admin_api(Action.ARCHIVE_READ)


@app.get(
    "/api/archive/organizations/<organization_uid>/usage",
    summary="Get a deleted organization's usage",
    tags=["Organizations"],
)
def get_archived_organization_usage(
    organization_uid: str, period: Annotated[PeriodText, Query()], caller: Caller
) -> OrganizationUsageReport:
    return offboarding_service().usage_of_organization(caller, organization_uid, period)


handler = app.resolve
