"""POST /api/budgets/{scope}/{scope_id}/adjust: set what is spent in the current window; usage and ledger stay."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.budgets import AdjustSpend, BudgetAnswer, budget_service

app = admin_api(Action.BUDGET_ADJUST)


@app.post("/api/budgets/<scope>/<scope_id>/adjust", summary="Adjust what is spent", tags=["Budgets"])
def adjust_budget(scope: str, scope_id: str, body: AdjustSpend, caller: Caller) -> BudgetAnswer:
    return budget_service().adjust(caller, scope, scope_id, body)


handler = app.resolve
