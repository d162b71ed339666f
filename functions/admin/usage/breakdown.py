"""GET /api/usage: usage of any scope, by day, model, provider or job type; paged."""

from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.tenants.usage import Question, breakdown_service
from tollgate.usage.model import Breakdown, Days, GroupBy, UsageScope

app = admin_api(Action.USAGE_READ)


@app.get("/api/usage", summary="Break usage down", tags=["Usage"])
def get_usage(  # noqa: PLR0913, PLR0917 (the parts of a query)
    caller: Caller,
    paging: Paging,
    scope: Annotated[UsageScope, Query()],
    start_date: Annotated[date, Query()],
    end_date: Annotated[date, Query()],
    group_by: Annotated[GroupBy, Query()] = GroupBy.DAY,
    id: Annotated[str | None, Query(min_length=1, max_length=256)] = None,
) -> Breakdown:
    question = Question(scope, id, Days(start_date, end_date), group_by)
    return breakdown_service().read(caller, question, paging.request())


handler = app.resolve
