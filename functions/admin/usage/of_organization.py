"""GET /api/organizations/{organization_id}/usage: what an organization used in a period, by team and by job type."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.usage.model import OrganizationUsageReport, PeriodText
from tollgate.usage.service import usage_service

app = admin_api(Action.USAGE_READ_ORGANIZATION)


@app.get("/api/organizations/<organization_id>/usage", summary="Get an organization's usage", tags=["Usage"])
def get_organization_usage(
    organization_id: str, period: Annotated[PeriodText, Query()], caller: Caller
) -> OrganizationUsageReport:
    return usage_service().of_organization(caller, organization_id, period)


handler = app.resolve
