"""GET /budget/list: all shared budgets, newest first."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import budgets
from tollgate.litellm.api import litellm_api
from tollgate.litellm.budgets import BudgetRow

app = litellm_api(Action.BUDGET_LIST)


@app.get("/budget/list", summary="List budgets", tags=["LiteLLM: budgets"])
def list_budgets(caller: Caller) -> list[BudgetRow]:
    return budgets.listed(caller)


handler = app.resolve
