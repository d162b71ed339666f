"""POST /global/spend/reset: begin anew with what keys and teams have spent."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_reset
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_reset import SpendReset

app = litellm_api(Action.BUDGET_RESET, Shape.SPEND)


@app.post("/global/spend/reset", summary="Reset spend", tags=["LiteLLM: spend"])
def reset_spend(caller: Caller) -> SpendReset:
    return spend_reset.reset(caller)


handler = app.resolve
