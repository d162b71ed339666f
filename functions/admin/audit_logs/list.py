"""GET /api/audit-logs, and /api/admin-users/audit-logs: who changed what, newest first; filtered, paged."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from tollgate.audit.model import AuditFilter, AuditList
from tollgate.auth.policy import Action
from tollgate.core.pagination import MAX_LIMIT
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, PageQuery
from tollgate.tenants import audit_log

Text = Annotated[str | None, Query(max_length=256)]
_DEFAULT_LIMIT = 50

app = admin_api(Action.AUDIT_READ)


class AuditQuery(PageQuery):
    """The contract's own default of this list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = _DEFAULT_LIMIT


def list_audit_logs(  # noqa: PLR0913, PLR0917 (the parts of a query)
    caller: Caller,
    paging: Annotated[AuditQuery, Query()],
    user_id: Text = None,
    action: Text = None,
    resource_type: Text = None,
    organization_id: Text = None,
) -> AuditList:
    wanted = AuditFilter(user_id, action, resource_type, organization_id)
    page = audit_log.search(caller, paging.request(), wanted)
    return AuditList(audit_logs=page.entries, next_cursor=page.next_cursor, truncated=page.truncated)


for path in ("/api/audit-logs", "/api/admin-users/audit-logs"):
    app.get(path, summary="List audit events", tags=["Audit"])(list_audit_logs)

handler = app.resolve
