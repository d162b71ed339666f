"""DELETE /api/models/{alias}: remove a model, from its teams and access groups too."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model import ModelAliasDeleted
from tollgate.models.service import model_service

app = admin_api(Action.MODEL_WRITE)


@app.delete("/api/models/<alias+>", summary="Delete a model", tags=["Models"])
def delete_model(alias: str, caller: Caller) -> ModelAliasDeleted:
    return model_service().delete(caller, alias)


handler = app.resolve
