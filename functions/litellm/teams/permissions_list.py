"""GET /team/permissions_list: what members may do with a team's keys."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.teams import PermissionsOfTeam

app = litellm_api(Action.MEMBER_READ)


@app.get("/team/permissions_list", summary="Permissions of members", tags=["LiteLLM: teams"])
def permissions_of_team(
    team_id: Annotated[str, Query(min_length=1, max_length=256)], caller: Caller
) -> PermissionsOfTeam:
    return teams.permissions(caller, team_id)


handler = app.resolve
