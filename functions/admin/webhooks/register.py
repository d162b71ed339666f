"""POST /api/webhooks/register: tell a URL of what becomes of a team's jobs, or of those of a whole organization."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.webhooks.model import RegisterWebhook, WebhookRegistered
from tollgate.webhooks.service import webhook_service

app = admin_api(Action.WEBHOOK_WRITE)


@app.post("/api/webhooks/register", summary="Register a webhook", tags=["Webhooks"])
def register_webhook(body: RegisterWebhook, caller: Caller) -> WebhookRegistered:
    return webhook_service().register(caller, body)


handler = app.resolve
