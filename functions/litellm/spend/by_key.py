"""GET /global/spend/keys: the keys that have spent most."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_global
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_global import KeyTotal, TopQuery

app = litellm_api(Action.USAGE_READ_PLATFORM, Shape.SPEND)


@app.get("/global/spend/keys", summary="Spend by key", tags=["LiteLLM: spend"])
def global_spend_by_key(caller: Caller, query: Annotated[TopQuery, Query()]) -> list[KeyTotal]:
    return spend_global.by_key(caller, query)


handler = app.resolve
