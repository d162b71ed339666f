"""GET /key/aliases: the aliases of the keys that the caller sees."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import key_lists
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_lists import AliasPage, AliasQuery

app = litellm_api(Action.KEY_READ_OWN, Shape.LISTING)


@app.get("/key/aliases", summary="List aliases of keys", tags=["LiteLLM: keys"])
def list_key_aliases(caller: Caller, query: Annotated[AliasQuery, Query()]) -> AliasPage:
    return key_lists.aliases(caller, query)


handler = app.resolve
