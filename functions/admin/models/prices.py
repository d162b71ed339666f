"""GET /api/model-prices: what models cost by the price catalogue; searched, of one provider, paged."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.models.price_list import PriceList, listed

app = admin_api(Action.MODEL_READ)


@app.get("/api/model-prices", summary="Search model prices", tags=["Models"])
def list_model_prices(
    caller: Caller,
    paging: Paging,
    search: Annotated[str | None, Query(max_length=200)] = None,
    provider: Annotated[str | None, Query(max_length=50)] = None,
) -> PriceList:
    return listed(caller, paging.request(), search, provider)


handler = app.resolve
