"""GET /key/list: the keys that the caller sees, by pages."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import key_lists
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_lists import KeyPage, KeyQuery

app = litellm_api(Action.KEY_READ_OWN, Shape.LISTING)


@app.get("/key/list", summary="List keys", tags=["LiteLLM: keys"])
def list_keys_by_page(caller: Caller, query: Annotated[KeyQuery, Query()]) -> KeyPage:
    return key_lists.listed(caller, query)


handler = app.resolve
