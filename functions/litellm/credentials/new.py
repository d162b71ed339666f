"""POST /credentials: a provider credential that models can name."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import credentials
from tollgate.litellm.api import litellm_api
from tollgate.litellm.credentials import Done, NewCredential

app = litellm_api(Action.CREDENTIAL_WRITE)


@app.post("/credentials", summary="New credential", tags=["LiteLLM: credentials"])
def new_credential(body: NewCredential, caller: Caller) -> Done:
    return credentials.new(caller, body)


handler = app.resolve
