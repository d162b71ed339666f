"""POST /team/model/add: more models that a team may use."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_requests import TeamModels
from tollgate.litellm.team_rows import TeamRow

app = litellm_api(Action.TEAM_UPDATE)


@app.post("/team/model/add", summary="Add models", tags=["LiteLLM: teams"])
def model_add(body: TeamModels, caller: Caller) -> TeamRow:
    return teams.add_models(caller, body)


handler = app.resolve
