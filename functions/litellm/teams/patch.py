"""PATCH /team/{team_id}: the same by path."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.team_requests import PatchTeamRow
from tollgate.litellm.team_rows import TeamRow

app = litellm_api(Action.TEAM_ADMINISTER, Shape.INTERNAL)


@app.patch("/team/<team_id>", summary="Patch a team", tags=["LiteLLM: teams"])
def patch_team(team_id: str, body: PatchTeamRow, caller: Caller) -> TeamRow:
    return teams.patch(caller, team_id, body, f"/team/{team_id}")


handler = app.resolve
