"""GET /credentials/by_name/{credential_name}: a provider credential without its secret."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import credentials
from tollgate.litellm.api import litellm_api
from tollgate.litellm.credentials import CredentialRow

app = litellm_api(Action.CREDENTIAL_READ)


@app.get("/credentials/by_name/<credential_name>", summary="Get a credential", tags=["LiteLLM: credentials"])
def get_credential(credential_name: str, caller: Caller) -> CredentialRow:
    return credentials.by_name(caller, credential_name)


handler = app.resolve
