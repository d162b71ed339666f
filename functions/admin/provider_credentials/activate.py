"""PUT /api/provider-credentials/{credential_id}/activate: make it the one that counts for its owner and provider."""

from tollgate.auth.policy import Action
from tollgate.credentials.model import CredentialAnswer
from tollgate.credentials.service import credential_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDENTIAL_WRITE)


@app.put(
    "/api/provider-credentials/<credential_id>/activate",
    summary="Activate a provider credential",
    tags=["Provider credentials"],
)
def activate_provider_credential(credential_id: str, caller: Caller) -> CredentialAnswer:
    return credential_service().activate(caller, credential_id)


handler = app.resolve
