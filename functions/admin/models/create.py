"""POST /api/models/create: a new model, named by access groups at once."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.priced_models import CreateModel, PricedModelAnswer, priced_model_service

app = admin_api(Action.MODEL_WRITE)


@app.post("/api/models/create", summary="Create a model", tags=["Models"])
def create_model(body: CreateModel, caller: Caller) -> PricedModelAnswer:
    return priced_model_service().create(caller, body)


handler = app.resolve
