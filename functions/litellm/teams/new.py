"""POST /team/new: a new team, the platform's if it has no organization."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.team_requests import CreateTeamRow
from tollgate.litellm.team_rows import TeamRow

app = litellm_api(Action.TEAM_CREATE, Shape.INTERNAL)


@app.post("/team/new", summary="New team", tags=["LiteLLM: teams"])
def new_team(body: CreateTeamRow, caller: Caller) -> TeamRow:
    return teams.new(caller, body)


handler = app.resolve
