"""POST /key/health: whether the key that the caller comes with may be used."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.keys import KeyHealth

app = litellm_api(Action.KEY_READ_OWN)


@app.post("/key/health", summary="Health of the caller's key", tags=["LiteLLM: keys"])
def key_health(caller: Caller) -> KeyHealth:
    return keys.health(caller)


handler = app.resolve
