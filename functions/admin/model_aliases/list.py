"""GET /api/model-aliases: model aliases by name; searched, paged."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.models import answers
from tollgate.models.model import ModelAliasList
from tollgate.models.service import model_service

app = admin_api(Action.MODEL_READ)


@app.get("/api/model-aliases", summary="List model aliases", tags=["Models"])
def list_model_aliases(
    caller: Caller, paging: Paging, search: Annotated[str | None, Query(max_length=200)] = None
) -> ModelAliasList:
    page = model_service().list(caller, paging.request(), search)
    return ModelAliasList(
        aliases=[answers.summary_of(model) for model in page.entries],
        next_cursor=page.next_cursor,
        truncated=page.truncated,
    )


handler = app.resolve
