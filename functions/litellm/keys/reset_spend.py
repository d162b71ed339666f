"""POST /key/{key}/reset_spend: set what a key has spent in this window."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.key_requests import ResetSpend
from tollgate.litellm.keys import KeySpendReset

app = litellm_api(Action.KEY_UPDATE)


@app.post("/key/<key>/reset_spend", summary="Reset a key's spend", tags=["LiteLLM: keys"])
def reset_key_spend(key: str, body: ResetSpend, caller: Caller) -> KeySpendReset:
    return keys.reset_spend(caller, key, body)


handler = app.resolve
