"""GET /api/organizations/{organization_id}/costs: what an organization cost and brought in, day by day."""

from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.usage.cost_model import OrganizationCosts
from tollgate.usage.costs import cost_service

app = admin_api(Action.COSTS_READ)


@app.get("/api/organizations/<organization_id>/costs", summary="Get an organization's costs", tags=["Usage"])
def get_organization_costs(
    organization_id: str, caller: Caller, start_date: Annotated[date, Query()], end_date: Annotated[date, Query()]
) -> OrganizationCosts:
    return cost_service().of_organization(caller, organization_id, start_date, end_date)


handler = app.resolve
