"""DELETE /api/budgets/{scope}/{scope_id}: take all limits of a scope away; a shared row only while nothing uses it."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.budgets import BudgetDeleted, budget_service

app = admin_api(Action.BUDGET_WRITE)


@app.delete("/api/budgets/<scope>/<scope_id>", summary="Delete a budget", tags=["Budgets"])
def delete_budget(scope: str, scope_id: str, caller: Caller) -> BudgetDeleted:
    return budget_service().delete(caller, scope, scope_id)


handler = app.resolve
