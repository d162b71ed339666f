"""POST /team/{team_id}/member/{user_id}/reset_spend, and reset_budget: set what a member has spent in this window."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import team_members
from tollgate.litellm.api import litellm_api
from tollgate.litellm.key_requests import ResetSpend
from tollgate.litellm.team_members import TeamMembershipRow

app = litellm_api(Action.MEMBER_WRITE)


def reset_member_spend(team_id: str, user_id: str, body: ResetSpend, caller: Caller) -> TeamMembershipRow:
    route = f"/team/{team_id}/member/{user_id}/reset_spend"
    return team_members.reset(caller, team_id, user_id, body.reset_to, route)


for _path, _name in (("reset_spend", "spend"), ("reset_budget", "budget")):
    app.post(
        f"/team/<team_id>/member/<user_id>/{_path}",
        summary=f"Reset a member's {_name}",
        tags=["LiteLLM: teams"],
    )(reset_member_spend)

handler = app.resolve
