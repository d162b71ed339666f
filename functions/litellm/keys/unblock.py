"""POST /key/unblock: let a blocked key be used again."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.key_requests import OneKey
from tollgate.litellm.key_rows import KeyRow

app = litellm_api(Action.KEY_MAKE_OWN)


@app.post("/key/unblock", summary="Unblock a key", tags=["LiteLLM: keys"])
def unblock_key(body: OneKey, caller: Caller) -> KeyRow:
    return keys.set_blocked(caller, body, "/key/unblock", blocked=False)


handler = app.resolve
