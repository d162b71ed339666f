"""GET /api/webhooks: webhooks of a team, of an organization, or of everybody, newest first."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.webhooks.model import WebhookList
from tollgate.webhooks.service import webhook_service

Text = Annotated[str | None, Query(max_length=256)]

app = admin_api(Action.WEBHOOK_READ)


@app.get("/api/webhooks", summary="List webhooks", tags=["Webhooks"])
def list_webhooks(caller: Caller, paging: Paging, team_id: Text = None, organization_id: Text = None) -> WebhookList:
    return webhook_service().list(caller, paging.request(), team_id, organization_id)


handler = app.resolve
