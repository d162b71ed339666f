"""POST /api/teams/{team_id}/rotate-key: a new primary key, shown this once; the old one is dead at once."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.teams.model import KeyRotated
from tollgate.tenants.teams import team_service

app = admin_api(Action.TEAM_UPDATE)


@app.post("/api/teams/<team_id>/rotate-key", summary="Replace a team's primary key", tags=["Teams"])
def rotate_team_key(team_id: str, caller: Caller) -> KeyRotated:
    return team_service().rotate_key(caller, team_id)


handler = app.resolve
