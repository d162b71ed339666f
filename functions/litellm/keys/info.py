"""GET /key/info: a key by its string or hash, else the caller's own."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.keys import KeyInfo

app = litellm_api(Action.KEY_READ_OWN, Shape.INTERNAL)


@app.get("/key/info", summary="A key", tags=["LiteLLM: keys"])
def key_info(caller: Caller, key: Annotated[str | None, Query(max_length=1024)] = None) -> KeyInfo:
    return keys.info(caller, key)


handler = app.resolve
