"""PUT /api/models/{alias}: change provider, price, status or access groups."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.priced_models import PricedModelAnswer, UpdateModel, priced_model_service

app = admin_api(Action.MODEL_WRITE)


@app.put("/api/models/<alias+>", summary="Update a model", tags=["Models"])
def update_model(alias: str, body: UpdateModel, caller: Caller) -> PricedModelAnswer:
    return priced_model_service().update(caller, alias, body)


handler = app.resolve
