"""POST /api/teams/create: a new team with its account and its key, which is shown this once."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.teams.model import CreateTeam, TeamCreated
from tollgate.tenants.teams import team_service

app = admin_api(Action.TEAM_CREATE)


@app.post("/api/teams/create", summary="Create a team", tags=["Teams"])
def create_team(body: CreateTeam, caller: Caller) -> TeamCreated:
    return team_service().create(caller, body)


handler = app.resolve
