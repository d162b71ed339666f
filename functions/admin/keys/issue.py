"""POST /api/teams/{team_id}/keys: a further key of a team, shown this once."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.keys.model import IssueKey, KeyIssued
from tollgate.keys.service import key_service

app = admin_api(Action.KEY_ISSUE)


@app.post("/api/teams/<team_id>/keys", summary="Issue a key", tags=["Keys"])
def issue_key(team_id: str, caller: Caller, body: IssueKey | None = None) -> KeyIssued:
    return key_service().issue(caller, team_id, body or IssueKey())


handler = app.resolve
