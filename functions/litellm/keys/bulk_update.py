"""POST /key/bulk_update: change many keys, each on its own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.key_requests import BulkUpdateKeys
from tollgate.litellm.keys import KeysUpdated

app = litellm_api(Action.KEY_BULK)


@app.post("/key/bulk_update", summary="Update many keys", tags=["LiteLLM: keys"])
def bulk_update_keys(body: BulkUpdateKeys, caller: Caller) -> KeysUpdated:
    return keys.bulk_update(caller, body)


handler = app.resolve
