"""PUT /api/provider-credentials/{credential_id}: change name, secret, address or options."""

from tollgate.auth.policy import Action
from tollgate.credentials.model import CredentialAnswer, UpdateProviderCredential
from tollgate.credentials.service import credential_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDENTIAL_WRITE)


@app.put(
    "/api/provider-credentials/<credential_id>", summary="Update a provider credential", tags=["Provider credentials"]
)
def update_provider_credential(credential_id: str, body: UpdateProviderCredential, caller: Caller) -> CredentialAnswer:
    return credential_service().update(caller, credential_id, body)


handler = app.resolve
