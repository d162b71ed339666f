"""POST /budget/delete: delete a budget that nothing uses."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import budgets
from tollgate.litellm.api import litellm_api
from tollgate.litellm.budgets import BudgetId, BudgetRow

app = litellm_api(Action.BUDGET_SHARE)


@app.post("/budget/delete", summary="Delete a budget", tags=["LiteLLM: budgets"])
def delete_budget(body: BudgetId, caller: Caller) -> BudgetRow:
    return budgets.delete(caller, body)


handler = app.resolve
