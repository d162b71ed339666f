"""POST /api/teams/{team_id}/resume: let its keys work again, from the very next call on."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.teams.model import ChangeStatus, TeamStatus, TeamStatusAnswer
from tollgate.tenants.teams import team_service

app = admin_api(Action.TEAM_SET_STATUS)


@app.post("/api/teams/<team_id>/resume", summary="Resume a team", tags=["Teams"])
@app.put("/api/teams/<team_id>/resume", summary="Resume a team", tags=["Teams"])
def resume_team(team_id: str, caller: Caller, body: ChangeStatus | None = None) -> TeamStatusAnswer:
    reason = body.reason if body else None
    return team_service().set_status(caller, team_id, TeamStatus.ACTIVE, reason)


handler = app.resolve
