"""PATCH /api/teams/{team_id}/keys/{key_id}: change a key's name, block, expiry, models, tags, metadata or limits."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.keys.model import KeyDetails, UpdateKey
from tollgate.keys.service import key_service

app = admin_api(Action.KEY_UPDATE)


@app.patch("/api/teams/<team_id>/keys/<key_id>", summary="Update a key", tags=["Keys"])
def update_key(team_id: str, key_id: str, body: UpdateKey, caller: Caller) -> KeyDetails:
    return key_service().update(caller, team_id, key_id, body)


handler = app.resolve
