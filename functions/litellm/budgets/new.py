"""POST /budget/new: a budget that several entities can share."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import budgets
from tollgate.litellm.api import litellm_api
from tollgate.litellm.budgets import BudgetRow, NewBudget

app = litellm_api(Action.BUDGET_SHARE)


@app.post("/budget/new", summary="New budget", tags=["LiteLLM: budgets"])
def new_budget(body: NewBudget, caller: Caller) -> BudgetRow:
    return budgets.new(caller, body)


handler = app.resolve
