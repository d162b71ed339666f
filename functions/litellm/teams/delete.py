"""POST /team/delete: delete teams with their keys."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_requests import TeamIds
from tollgate.litellm.teams import TeamsDeleted

app = litellm_api(Action.TEAM_DELETE)


@app.post("/team/delete", summary="Delete teams", tags=["LiteLLM: teams"])
def delete_team(body: TeamIds, caller: Caller) -> TeamsDeleted:
    return teams.delete(caller, body)


handler = app.resolve
