"""POST /api/alerts: a rule that tells a webhook, Slack or an SNS topic of alerts."""

from http import HTTPStatus

from tollgate.alerts.model import AlertRuleCreated, CreateAlertRule
from tollgate.alerts.service import alert_service
from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.ALERT_WRITE)


@app.post("/api/alerts", summary="Create an alert rule", tags=["Alerts"], status_code=HTTPStatus.CREATED)
def create_alert_rule(body: CreateAlertRule, caller: Caller) -> AlertRuleCreated:
    return alert_service().create(caller, body)


handler = app.resolve
