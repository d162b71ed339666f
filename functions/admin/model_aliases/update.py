"""PUT /api/model-aliases/{alias}: change targets, prices, limits or texts."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model import ModelAliasAnswer, UpdateModelAlias
from tollgate.models.service import model_service

app = admin_api(Action.MODEL_WRITE)


@app.put("/api/model-aliases/<alias+>", summary="Update a model alias", tags=["Models"])
def update_model_alias(alias: str, body: UpdateModelAlias, caller: Caller) -> ModelAliasAnswer:
    return model_service().update(caller, alias, body)


handler = app.resolve
