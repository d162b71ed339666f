"""GET /api/alerts/history: alerts that were raised and how far they got, newest first."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.alerts.model import AlertEvent, AlertHistory
from tollgate.alerts.service import alert_service
from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging

Text = Annotated[str | None, Query(max_length=256)]

app = admin_api(Action.ALERT_READ)


@app.get("/api/alerts/history", summary="List alerts", tags=["Alerts"])
def list_alert_history(
    caller: Caller,
    paging: Paging,
    organization_id: Text = None,
    team_id: Text = None,
    event: Annotated[AlertEvent | None, Query()] = None,
) -> AlertHistory:
    return alert_service().history(caller, paging.request(), organization_id, team_id, event)


handler = app.resolve
