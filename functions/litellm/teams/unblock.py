"""POST /team/unblock: end a block."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_requests import TeamId
from tollgate.litellm.team_rows import TeamRow

app = litellm_api(Action.TEAM_UPDATE)


@app.post("/team/unblock", summary="Unblock a team", tags=["LiteLLM: teams"])
def unblock_team(body: TeamId, caller: Caller) -> TeamRow:
    return teams.set_blocked(caller, body.team_id, blocked=False)


handler = app.resolve
