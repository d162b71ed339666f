"""PUT /api/teams/{team_id}: change alias, model access, metadata or budget settings."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.teams.model import TeamAnswer, UpdateTeam
from tollgate.tenants.teams import team_service

app = admin_api(Action.TEAM_UPDATE)


@app.put("/api/teams/<team_id>", summary="Update a team", tags=["Teams"])
def update_team(team_id: str, body: UpdateTeam, caller: Caller) -> TeamAnswer:
    return team_service().update(caller, team_id, body)


handler = app.resolve
