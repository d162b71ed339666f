"""POST /team/member_update: change a member's role and limits."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import team_members
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_members import TeamMemberChanged
from tollgate.litellm.team_requests import ChangeTeamMember

app = litellm_api(Action.MEMBER_WRITE)


@app.post("/team/member_update", summary="Update a member", tags=["LiteLLM: teams"])
def member_update(body: ChangeTeamMember, caller: Caller) -> TeamMemberChanged:
    return team_members.update(caller, body)


handler = app.resolve
