"""GET /global/spend: what the platform has spent in its window."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_global
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_global import GlobalSpend

app = litellm_api(Action.USAGE_READ_PLATFORM, Shape.SPEND)


@app.get("/global/spend", summary="Spend of the platform", tags=["LiteLLM: spend"])
def global_spend(caller: Caller) -> GlobalSpend:
    return spend_global.spend(caller)


handler = app.resolve
