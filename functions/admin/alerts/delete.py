"""DELETE /api/alerts/{rule_id}: remove an alert rule and its secret."""

from tollgate.alerts.model import AlertRuleDeleted
from tollgate.alerts.service import alert_service
from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.ALERT_WRITE)


@app.delete("/api/alerts/<rule_id>", summary="Delete an alert rule", tags=["Alerts"])
def delete_alert_rule(rule_id: str, caller: Caller) -> AlertRuleDeleted:
    return alert_service().delete(caller, rule_id)


handler = app.resolve
