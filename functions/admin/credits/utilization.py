"""GET /api/credits/utilization: how far the teams' credits are used, and who needs attention; up to 1,000 at a time."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.credits.utilization import Utilization, utilization_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDITS_READ_PLATFORM)


@app.get("/api/credits/utilization", summary="Get the use of credits", tags=["Credits"])
def get_utilization(caller: Caller, cursor: Annotated[str | None, Query(max_length=2048)] = None) -> Utilization:
    return utilization_service().read(caller, cursor)


handler = app.resolve
