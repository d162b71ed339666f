"""GET /api/model-aliases/{alias}: a model alias with targets, prices and who has access to it."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model import ModelAliasDetails
from tollgate.models.service import model_service

app = admin_api(Action.MODEL_READ)


@app.get("/api/model-aliases/<alias+>", summary="Get a model alias", tags=["Models"])
def get_model_alias(alias: str, caller: Caller) -> ModelAliasDetails:
    return model_service().details(caller, alias)


handler = app.resolve
