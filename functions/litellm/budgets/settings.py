"""GET /budget/settings: the fields of a budget, for a page that edits them."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import budgets
from tollgate.litellm.api import litellm_api
from tollgate.litellm.budgets import BudgetSetting

app = litellm_api(Action.BUDGET_LIST)


@app.get("/budget/settings", summary="Settings of a budget", tags=["LiteLLM: budgets"])
def budget_settings(
    budget_id: Annotated[str, Query(min_length=1, max_length=256)], caller: Caller
) -> list[BudgetSetting]:
    return budgets.settings(caller, budget_id)


handler = app.resolve
