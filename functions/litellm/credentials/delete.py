"""DELETE /credentials/{credential_name}: remove a credential that no model names."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import credentials
from tollgate.litellm.api import litellm_api
from tollgate.litellm.credentials import Done

app = litellm_api(Action.CREDENTIAL_WRITE)


@app.delete("/credentials/<credential_name>", summary="Delete a credential", tags=["LiteLLM: credentials"])
def delete_named_credential(credential_name: str, caller: Caller) -> Done:
    return credentials.delete(caller, credential_name)


handler = app.resolve
