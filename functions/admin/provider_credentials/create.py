"""POST /api/provider-credentials/create: a provider's secret, for the platform or an organization."""

from http import HTTPStatus

from tollgate.auth.policy import Action
from tollgate.credentials.model import CreateProviderCredential, CredentialAnswer
from tollgate.credentials.service import credential_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDENTIAL_WRITE)


@app.post(
    "/api/provider-credentials/create",
    summary="Create a provider credential",
    tags=["Provider credentials"],
    status_code=HTTPStatus.CREATED,
)
def create_provider_credential(body: CreateProviderCredential, caller: Caller) -> CredentialAnswer:
    return credential_service().create(caller, body)


handler = app.resolve
