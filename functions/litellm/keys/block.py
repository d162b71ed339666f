"""POST /key/block: refuse every request of a key."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.key_requests import OneKey
from tollgate.litellm.key_rows import KeyRow

app = litellm_api(Action.KEY_MAKE_OWN)


@app.post("/key/block", summary="Block a key", tags=["LiteLLM: keys"])
def block_key(body: OneKey, caller: Caller) -> KeyRow:
    return keys.set_blocked(caller, body, "/key/block", blocked=True)


handler = app.resolve
