"""GET /api/provider-credentials/organization/{organization_id}: an organization's credentials, newest first."""

from tollgate.auth.policy import Action
from tollgate.credentials.model import CredentialAnswer, CredentialList
from tollgate.credentials.service import credential_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging

app = admin_api(Action.CREDENTIAL_READ)


@app.get(
    "/api/provider-credentials/organization/<organization_id>",
    summary="List an organization's provider credentials",
    tags=["Provider credentials"],
)
def list_organization_credentials(organization_id: str, caller: Caller, paging: Paging) -> CredentialList:
    page = credential_service().list_of(caller, organization_id, paging.request())
    return CredentialList(
        credentials=[CredentialAnswer.of(credential) for credential in page.entries], next_cursor=page.next_cursor
    )


handler = app.resolve
