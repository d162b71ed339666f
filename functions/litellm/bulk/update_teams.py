"""POST /management/v1/teams/bulk_update: change up to 500 teams, each with a result of its own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import bulk
from tollgate.litellm.api import litellm_api
from tollgate.litellm.bulk import BulkAnswer, BulkItems
from tollgate.litellm.bulk_operations import TEAMS_UPDATE

app = litellm_api(Action.TEAM_UPDATE)


@app.post("/management/v1/teams/bulk_update", summary="Change many teams", tags=["LiteLLM: bulk"])
def update_many_teams(body: BulkItems, caller: Caller) -> BulkAnswer:
    return bulk.run(caller, body, TEAMS_UPDATE)


handler = app.resolve
