"""POST /key/service-account/generate: a key of a team that is nobody's."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_requests import GenerateKey
from tollgate.litellm.key_rows import KeyGenerated

app = litellm_api(Action.KEY_MAKE_OWN, Shape.INTERNAL)


@app.post("/key/service-account/generate", summary="Generate a service account's key", tags=["LiteLLM: keys"])
def generate_service_key(body: GenerateKey, caller: Caller) -> KeyGenerated:
    return keys.generate_for_service(caller, body)


handler = app.resolve
