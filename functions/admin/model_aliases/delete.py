"""DELETE /api/model-aliases/{alias}: remove a model alias, from its access groups too."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.models.model import ModelAliasDeleted
from tollgate.models.service import model_service

app = admin_api(Action.MODEL_WRITE)


@app.delete("/api/model-aliases/<alias+>", summary="Delete a model alias", tags=["Models"])
def delete_model_alias(alias: str, caller: Caller) -> ModelAliasDeleted:
    return model_service().delete(caller, alias)


handler = app.resolve
