"""POST /key/regenerate: another string for a key, that of the caller if none is named."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_requests import RegenerateKey
from tollgate.litellm.key_rows import KeyGenerated

app = litellm_api(Action.KEY_MAKE_OWN, Shape.INTERNAL)


@app.post("/key/regenerate", summary="Regenerate a key", tags=["LiteLLM: keys"])
def regenerate_key(body: RegenerateKey, caller: Caller) -> KeyGenerated:
    return keys.regenerate(caller, None, body, "/key/regenerate")


handler = app.resolve
