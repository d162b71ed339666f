"""DELETE /api/provider-credentials/{credential_id}: remove a credential and its secret."""

from tollgate.auth.policy import Action
from tollgate.credentials.model import CredentialDeleted
from tollgate.credentials.service import credential_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDENTIAL_WRITE)


@app.delete(
    "/api/provider-credentials/<credential_id>", summary="Delete a provider credential", tags=["Provider credentials"]
)
def delete_provider_credential(credential_id: str, caller: Caller) -> CredentialDeleted:
    return credential_service().delete(caller, credential_id)


handler = app.resolve
