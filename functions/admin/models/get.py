"""GET /api/models/{alias}: a model with its price and who has access to it."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.priced_models import PricedModelAnswer, priced_model_service

app = admin_api(Action.MODEL_READ)


@app.get("/api/models/<alias+>", summary="Get a model", tags=["Models"])
def get_model(alias: str, caller: Caller) -> PricedModelAnswer:
    return priced_model_service().details(caller, alias)


handler = app.resolve
