"""GET /api/alerts/{rule_id}: an alert rule, without its secret."""

from tollgate.alerts.model import AlertRuleAnswer
from tollgate.alerts.service import alert_service
from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.ALERT_READ)


@app.get("/api/alerts/<rule_id>", summary="Get an alert rule", tags=["Alerts"])
def get_alert_rule(rule_id: str, caller: Caller) -> AlertRuleAnswer:
    return AlertRuleAnswer.of(alert_service().get(caller, rule_id))


handler = app.resolve
