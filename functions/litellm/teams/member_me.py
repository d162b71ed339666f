"""GET /team/{team_id}/members/me: one's own membership."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import team_members
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_members import TeamMembershipRow

app = litellm_api(Action.TEAM_READ_OWN)


@app.get("/team/<team_id>/members/me", summary="One's own membership", tags=["LiteLLM: teams"])
def own_team_membership(team_id: str, caller: Caller) -> TeamMembershipRow:
    return team_members.own(caller, team_id)


handler = app.resolve
