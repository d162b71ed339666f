"""GET /audit: who changed what, by pages."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import audit
from tollgate.litellm.api import litellm_api
from tollgate.litellm.audit import AuditPage, AuditQuery

app = litellm_api(Action.AUDIT_READ)


@app.get("/audit", summary="Page audit events", tags=["LiteLLM: audit"])
def page_audit(caller: Caller, query: Annotated[AuditQuery, Query()]) -> AuditPage:
    return audit.page(caller, query)


handler = app.resolve
