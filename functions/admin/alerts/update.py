"""PUT /api/alerts/{rule_id}: change an alert rule's address, secret, events or thresholds, or switch it off."""

from tollgate.alerts.model import AlertRuleAnswer, UpdateAlertRule
from tollgate.alerts.service import alert_service
from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.ALERT_WRITE)


@app.put("/api/alerts/<rule_id>", summary="Update an alert rule", tags=["Alerts"])
def update_alert_rule(rule_id: str, body: UpdateAlertRule, caller: Caller) -> AlertRuleAnswer:
    return alert_service().update(caller, rule_id, body)


handler = app.resolve
