"""POST /team/permissions_update: what members may do with a team's keys."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_requests import TeamPermissions
from tollgate.litellm.team_rows import TeamRow

app = litellm_api(Action.MEMBER_WRITE)


@app.post("/team/permissions_update", summary="Update permissions", tags=["LiteLLM: teams"])
def permissions_update(body: TeamPermissions, caller: Caller) -> TeamRow:
    return teams.set_permissions(caller, body)


handler = app.resolve
