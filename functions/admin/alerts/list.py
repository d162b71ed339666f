"""GET /api/alerts: alert rules of an organization, of a team, or of everybody, newest first."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.alerts.model import AlertRuleList
from tollgate.alerts.service import alert_service
from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging

Text = Annotated[str | None, Query(max_length=256)]

app = admin_api(Action.ALERT_READ)


@app.get("/api/alerts", summary="List alert rules", tags=["Alerts"])
def list_alert_rules(
    caller: Caller, paging: Paging, organization_id: Text = None, team_id: Text = None
) -> AlertRuleList:
    return alert_service().list(caller, paging.request(), organization_id, team_id)


handler = app.resolve
