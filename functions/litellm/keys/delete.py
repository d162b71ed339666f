"""POST /key/delete: end keys, by string, hash or alias."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_requests import KeyNames
from tollgate.litellm.keys import KeysDeleted

app = litellm_api(Action.KEY_MAKE_OWN, Shape.INTERNAL)


@app.post("/key/delete", summary="Delete keys", tags=["LiteLLM: keys"])
def delete_keys(body: KeyNames, caller: Caller) -> KeysDeleted:
    return keys.delete(caller, body)


handler = app.resolve
