"""PUT /api/teams/{team_id}/model-groups: replace everything that the team's calls may use, from the next call on."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.teams.model import ModelGroupsAssigned, SetModelGroups
from tollgate.tenants.teams import team_service

app = admin_api(Action.TEAM_UPDATE)


@app.put("/api/teams/<team_id>/model-groups", summary="Replace a team's model groups", tags=["Teams"])
def set_team_model_groups(team_id: str, body: SetModelGroups, caller: Caller) -> ModelGroupsAssigned:
    return team_service().set_model_groups(caller, team_id, body)


handler = app.resolve
