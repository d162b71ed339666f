"""DELETE /api/teams/{team_id}/keys/{key_id}: end a key; its very next call is refused."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.keys.model import KeyRevoked
from tollgate.keys.service import key_service

app = admin_api(Action.KEY_REVOKE)


@app.delete("/api/teams/<team_id>/keys/<key_id>", summary="Revoke a key", tags=["Keys"])
def revoke_key(team_id: str, key_id: str, caller: Caller) -> KeyRevoked:
    return key_service().revoke(caller, team_id, key_id)


handler = app.resolve
