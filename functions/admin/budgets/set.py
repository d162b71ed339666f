"""PUT /api/budgets/{scope}/{scope_id}: limit any scope; customers, tags and shared rows are made by it."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.limits.fields import LimitFields
from tollgate.tenants.budgets import BudgetAnswer, budget_service

app = admin_api(Action.BUDGET_WRITE)


@app.put("/api/budgets/<scope>/<scope_id>", summary="Set a budget", tags=["Budgets"])
def set_budget(scope: str, scope_id: str, body: LimitFields, caller: Caller) -> BudgetAnswer:
    return budget_service().put(caller, scope, scope_id, body)


handler = app.resolve
