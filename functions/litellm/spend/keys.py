"""GET /spend/keys: keys by what they have spent."""

from aws_lambda_powertools.event_handler import Response

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_totals
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.key_rows import TokenRow
from tollgate.litellm.spend_rows import headers

app = litellm_api(Action.USAGE_READ_OWN, Shape.DETAIL)


@app.get("/spend/keys", summary="Keys by spend", tags=["LiteLLM: spend"])
def spend_of_keys(caller: Caller) -> Response[list[TokenRow]]:
    found = spend_totals.of_keys(caller)
    return Response(200, "application/json", found.rows, headers(truncated=found.truncated))


handler = app.resolve
