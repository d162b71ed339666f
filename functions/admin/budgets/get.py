"""GET /api/budgets/{scope}/{scope_id}: limits of any scope, and what it spent and reserved in the current window."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.budgets import BudgetAnswer, budget_service

app = admin_api(Action.BUDGET_READ)


@app.get("/api/budgets/<scope>/<scope_id>", summary="Get a budget", tags=["Budgets"])
def get_budget(scope: str, scope_id: str, caller: Caller) -> BudgetAnswer:
    return budget_service().get(caller, scope, scope_id)


handler = app.resolve
