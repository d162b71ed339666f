"""DELETE /api/webhooks/{webhook_id}: remove a webhook and its secrets."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.webhooks.model import WebhookDeleted
from tollgate.webhooks.service import webhook_service

app = admin_api(Action.WEBHOOK_WRITE)


@app.delete("/api/webhooks/<webhook_id>", summary="Delete a webhook", tags=["Webhooks"])
def delete_webhook(webhook_id: str, caller: Caller) -> WebhookDeleted:
    return webhook_service().delete(caller, webhook_id)


handler = app.resolve
