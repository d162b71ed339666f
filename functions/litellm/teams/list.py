"""GET /team/list: teams with their keys and members, by alias."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import team_lists
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_lists import ListedTeam

app = litellm_api(Action.TEAM_READ_OWN)


@app.get("/team/list", summary="List teams", tags=["LiteLLM: teams"])
def list_teams_by_alias(
    caller: Caller,
    user_id: Annotated[str | None, Query(min_length=1, max_length=256, description="whose teams")] = None,
    organization_id: Annotated[
        str | None, Query(min_length=1, max_length=256, description="default_organization: teams that have none")
    ] = None,
) -> list[ListedTeam]:
    return team_lists.listed(caller, user_id, organization_id)


handler = app.resolve
