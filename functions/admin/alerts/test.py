"""POST /api/alerts/{rule_id}/test: send a test by the way that every alert goes."""

from http import HTTPStatus

from tollgate.alerts.model import AlertTested
from tollgate.alerts.service import alert_service
from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.ALERT_WRITE)


@app.post("/api/alerts/<rule_id>/test", summary="Test an alert rule", tags=["Alerts"], status_code=HTTPStatus.ACCEPTED)
def test_alert_rule(rule_id: str, caller: Caller) -> AlertTested:
    return alert_service().test(caller, rule_id)


handler = app.resolve
