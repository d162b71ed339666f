"""POST /team/member_add: make users members of a team."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import team_members
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_members import TeamWithMembers
from tollgate.litellm.team_requests import AddTeamMembers

app = litellm_api(Action.TEAM_READ_OWN)


@app.post("/team/member_add", summary="Add members", tags=["LiteLLM: teams"])
def member_add(body: AddTeamMembers, caller: Caller) -> TeamWithMembers:
    return team_members.add(caller, body)


handler = app.resolve
