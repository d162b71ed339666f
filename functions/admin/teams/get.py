"""GET /api/teams/{team_id}: a team with its account, settings and what it used."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.teams.model import TeamAnswer
from tollgate.tenants.teams import team_service

app = admin_api(Action.TEAM_READ)


@app.get("/api/teams/<team_id>", summary="Get a team", tags=["Teams"])
def get_team(team_id: str, caller: Caller) -> TeamAnswer:
    return team_service().details(caller, team_id)


handler = app.resolve
