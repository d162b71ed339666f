"""POST /budget/update: change the fields that are sent."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import budgets
from tollgate.litellm.api import litellm_api
from tollgate.litellm.budgets import BudgetRow, UpdateBudget

app = litellm_api(Action.BUDGET_SHARE)


@app.post("/budget/update", summary="Update a budget", tags=["LiteLLM: budgets"])
def update_budget(body: UpdateBudget, caller: Caller) -> BudgetRow:
    return budgets.update(caller, body)


handler = app.resolve
