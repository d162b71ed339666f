"""POST /key/{key}/regenerate: another string for the key that the path names."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_requests import RegenerateKey
from tollgate.litellm.key_rows import KeyGenerated

app = litellm_api(Action.KEY_MAKE_OWN, Shape.INTERNAL)


@app.post("/key/<key>/regenerate", summary="Regenerate a key by its path", tags=["LiteLLM: keys"])
def regenerate_named_key(key: str, body: RegenerateKey, caller: Caller) -> KeyGenerated:
    return keys.regenerate(caller, key, body, "/key/regenerate")


handler = app.resolve
