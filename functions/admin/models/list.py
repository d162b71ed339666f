"""GET /api/models: models by alias; of one provider, of one status, paged."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.models.model_groups import GroupStatus
from tollgate.models.priced_models import PricedModelList, priced_model_service

app = admin_api(Action.MODEL_READ)


@app.get("/api/models", summary="List models", tags=["Models"])
def list_models(
    caller: Caller,
    paging: Paging,
    provider: Annotated[str | None, Query(max_length=50)] = None,
    status: Annotated[GroupStatus | None, Query()] = None,
) -> PricedModelList:
    return priced_model_service().list(caller, paging.request(), provider, status)


handler = app.resolve
