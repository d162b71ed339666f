"""POST /v2/key/info: keys by string, hash or alias."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_requests import KeyNames
from tollgate.litellm.keys import KeyInfos

app = litellm_api(Action.KEY_READ_OWN, Shape.INTERNAL)


@app.post("/v2/key/info", summary="Several keys", tags=["LiteLLM: keys"])
def key_infos(body: KeyNames, caller: Caller) -> KeyInfos:
    return keys.infos(caller, body)


handler = app.resolve
