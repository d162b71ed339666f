"""GET /api/organizations/{organization_id}/usage/timeline: an organization's usage by hour, day, week or month."""

from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.usage.model import Granularity, Timeline
from tollgate.usage.service import usage_service

app = admin_api(Action.USAGE_READ_ORGANIZATION)

PATH = "/api/organizations/<organization_id>/usage/timeline"


@app.get(PATH, summary="Get an organization's usage over time", tags=["Usage"])
def get_organization_timeline(
    organization_id: str,
    caller: Caller,
    start_date: Annotated[date, Query()],
    end_date: Annotated[date, Query()],
    granularity: Annotated[Granularity, Query()] = Granularity.DAY,
) -> Timeline:
    return usage_service().timeline_of_organization(caller, organization_id, granularity, start_date, end_date)


handler = app.resolve
