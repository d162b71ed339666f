"""POST /team/model/delete: fewer models that a team may use."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import teams
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_requests import TeamModels
from tollgate.litellm.team_rows import TeamRow

app = litellm_api(Action.TEAM_UPDATE)


@app.post("/team/model/delete", summary="Remove models", tags=["LiteLLM: teams"])
def model_delete(body: TeamModels, caller: Caller) -> TeamRow:
    return teams.delete_models(caller, body)


handler = app.resolve
