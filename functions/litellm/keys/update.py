"""POST /key/update: change the fields that are sent."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_requests import UpdateKey
from tollgate.litellm.key_rows import KeyUpdated

app = litellm_api(Action.KEY_MAKE_OWN, Shape.AUTH)


@app.post("/key/update", summary="Update a key", tags=["LiteLLM: keys"])
def change_key(body: UpdateKey, caller: Caller) -> KeyUpdated:
    return keys.update(caller, body)


handler = app.resolve
