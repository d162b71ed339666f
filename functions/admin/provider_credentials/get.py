"""GET /api/provider-credentials/{credential_id}: a credential, without its secret."""

from tollgate.auth.policy import Action
from tollgate.credentials.model import CredentialAnswer
from tollgate.credentials.service import credential_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDENTIAL_READ)


@app.get(
    "/api/provider-credentials/<credential_id>", summary="Get a provider credential", tags=["Provider credentials"]
)
def get_provider_credential(credential_id: str, caller: Caller) -> CredentialAnswer:
    return CredentialAnswer.of(credential_service().get(caller, credential_id))


handler = app.resolve
