"""GET /api/model-aliases: model aliases by name; searched, paged."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.models.model import ModelAliasList
from tollgate.models.service import model_service

app = admin_api(Action.MODEL_READ)


@app.get("/api/model-aliases", summary="List model aliases", tags=["Models"])
def list_model_aliases(
    caller: Caller, paging: Paging, search: Annotated[str | None, Query(max_length=200)] = None
) -> ModelAliasList:
    return model_service().list(caller, paging.request(), search)


handler = app.resolve
