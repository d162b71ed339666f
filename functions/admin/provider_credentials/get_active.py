"""GET /api/provider-credentials/organization/{organization_id}/provider/{provider}: the one that counts."""

from tollgate.auth.policy import Action
from tollgate.credentials.model import CredentialAnswer
from tollgate.credentials.service import credential_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDENTIAL_READ)


@app.get(
    "/api/provider-credentials/organization/<organization_id>/provider/<provider>",
    summary="Get an organization's active credential for a provider",
    tags=["Provider credentials"],
)
def get_active_credential(organization_id: str, provider: str, caller: Caller) -> CredentialAnswer:
    return credential_service().get_active(caller, organization_id, provider)


handler = app.resolve
