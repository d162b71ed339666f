"""POST /spend/calculate: what a prompt would cost, or an answer has cost."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import spend_calculate
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.spend_calculate import CalculateSpend, SpendCalculated

app = litellm_api(Action.USAGE_READ_OWN, Shape.SPEND)


@app.post("/spend/calculate", summary="Calculate spend", tags=["LiteLLM: spend"])
def calculate_spend(body: CalculateSpend, caller: Caller) -> SpendCalculated:
    return spend_calculate.calculate(caller, body)


handler = app.resolve
