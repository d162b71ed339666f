"""GET /api/budgets: shared budgets, or customers or tags with limits, paged."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.tenants.budgets import BudgetList, ListedScope, budget_service

app = admin_api(Action.BUDGET_LIST)


@app.get("/api/budgets", summary="List budgets", tags=["Budgets"])
def list_budgets(
    caller: Caller, paging: Paging, scope: Annotated[ListedScope, Query()] = ListedScope.SHARED
) -> BudgetList:
    return budget_service().list(caller, paging.request(), scope)


handler = app.resolve
