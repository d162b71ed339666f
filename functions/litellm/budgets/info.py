"""POST /budget/info: budgets by their ids."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import budgets
from tollgate.litellm.api import litellm_api
from tollgate.litellm.budgets import BudgetIds, BudgetRow

app = litellm_api(Action.BUDGET_LIST)


@app.post("/budget/info", summary="Budgets by id", tags=["LiteLLM: budgets"])
def info_budgets(body: BudgetIds, caller: Caller) -> list[BudgetRow]:
    return budgets.info(caller, body)


handler = app.resolve
