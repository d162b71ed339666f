"""GET /v2/team/list: a page of teams, searched and sorted."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import team_lists
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_lists import TeamPage, TeamQuery

app = litellm_api(Action.TEAM_READ_OWN)


@app.get("/v2/team/list", summary="A page of teams", tags=["LiteLLM: teams"])
def page_of_teams(query: Annotated[TeamQuery, Query()], caller: Caller) -> TeamPage:
    return team_lists.page(caller, query)


handler = app.resolve
