"""GET /api/teams/{team_id}/keys: a team's keys, masked, newest first, paged."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.keys.model import KeyAnswer, KeyList
from tollgate.keys.service import key_service

app = admin_api(Action.KEY_LIST)


@app.get("/api/teams/<team_id>/keys", summary="List a team's keys", tags=["Keys"])
def list_keys(team_id: str, caller: Caller, paging: Paging) -> KeyList:
    page = key_service().list(caller, team_id, paging.request())
    return KeyList(team_id=team_id, keys=[KeyAnswer.of(key) for key in page.entries], next_cursor=page.next_cursor)


handler = app.resolve
