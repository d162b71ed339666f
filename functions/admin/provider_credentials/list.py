"""GET /api/provider-credentials: the credentials of the platform and of every organization, newest first."""

from tollgate.auth.policy import Action
from tollgate.credentials.model import CredentialAnswer, CredentialList
from tollgate.credentials.service import credential_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging

app = admin_api(Action.CREDENTIAL_READ)


@app.get("/api/provider-credentials", summary="List provider credentials", tags=["Provider credentials"])
def list_provider_credentials(caller: Caller, paging: Paging) -> CredentialList:
    page = credential_service().list(caller, paging.request())
    return CredentialList(
        credentials=[CredentialAnswer.of(credential) for credential in page.entries], next_cursor=page.next_cursor
    )


handler = app.resolve
