"""GET /audit/{audit_id}: one event of the audit log."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import audit
from tollgate.litellm.api import litellm_api
from tollgate.litellm.audit import AuditRow

app = litellm_api(Action.AUDIT_READ)


@app.get("/audit/<audit_id>", summary="Get an audit event", tags=["LiteLLM: audit"])
def get_audit(audit_id: str, caller: Caller) -> AuditRow:
    return audit.find(caller, audit_id)


handler = app.resolve
