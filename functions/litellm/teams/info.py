"""GET /team/info: a team with its keys and members."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.teams import TeamInfo

app = litellm_api(Action.TEAM_READ_OWN, Shape.AUTH)


@app.get("/team/info", summary="Get a team", tags=["LiteLLM: teams"])
def info_team(
    team_id: Annotated[str, Query(min_length=1, max_length=256)],
    caller: Caller,
    key_limit: Annotated[int | None, Query(ge=0, le=10_000, description="how many keys are shown")] = None,
) -> TeamInfo:
    return teams.info(caller, team_id, key_limit)


handler = app.resolve
