"""POST /team/update: change the fields that are sent."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.team_requests import UpdateTeamRow
from tollgate.litellm.teams import TeamUpdated

app = litellm_api(Action.TEAM_ADMINISTER, Shape.INTERNAL)


@app.post("/team/update", summary="Update a team", tags=["LiteLLM: teams"])
def update_team(body: UpdateTeamRow, caller: Caller) -> TeamUpdated:
    return teams.update(caller, body)


handler = app.resolve
