"""GET /credentials: the platform's provider credentials, newest first."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import credentials
from tollgate.litellm.api import litellm_api
from tollgate.litellm.credentials import CredentialRows

app = litellm_api(Action.CREDENTIAL_READ)


@app.get("/credentials", summary="List credentials", tags=["LiteLLM: credentials"])
def list_credentials(caller: Caller) -> CredentialRows:
    return credentials.listed(caller)


handler = app.resolve
