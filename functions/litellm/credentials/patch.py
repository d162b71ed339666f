"""PATCH /credentials/{credential_name}: change what is sent."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import credentials
from tollgate.litellm.api import litellm_api
from tollgate.litellm.credentials import Done, PatchCredential

app = litellm_api(Action.CREDENTIAL_WRITE)


@app.patch("/credentials/<credential_name>", summary="Patch a credential", tags=["LiteLLM: credentials"])
def patch_credential(credential_name: str, body: PatchCredential, caller: Caller) -> Done:
    return credentials.patch(caller, credential_name, body)


handler = app.resolve
