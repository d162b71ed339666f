"""POST /team/member_delete: end a membership and the member's keys in the team."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import team_members
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_requests import RemoveTeamMember
from tollgate.litellm.team_rows import TeamRow

app = litellm_api(Action.MEMBER_WRITE)


@app.post("/team/member_delete", summary="Remove a member", tags=["LiteLLM: teams"])
def member_delete(body: RemoveTeamMember, caller: Caller) -> TeamRow:
    return team_members.delete(caller, body)


handler = app.resolve
