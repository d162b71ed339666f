"""GET /team/available: the teams that one could join by oneself."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import team_lists
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_rows import TeamRow

app = litellm_api(Action.TEAM_READ_OWN)


@app.get("/team/available", summary="Teams to join", tags=["LiteLLM: teams"])
def available_teams(caller: Caller) -> list[TeamRow]:
    return team_lists.available(caller)


handler = app.resolve
