"""POST /key/generate: a key, which is shown here and never again."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_requests import GenerateKey
from tollgate.litellm.key_rows import KeyGenerated

app = litellm_api(Action.KEY_MAKE_OWN, Shape.INTERNAL)


@app.post("/key/generate", summary="Generate a key", tags=["LiteLLM: keys"])
def generate_key(body: GenerateKey, caller: Caller) -> KeyGenerated:
    return keys.generate(caller, body)


handler = app.resolve
