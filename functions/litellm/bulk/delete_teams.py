"""POST /management/v1/teams/bulk_delete: delete up to 500 teams, each with a result of its own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import bulk
from tollgate.litellm.api import litellm_api
from tollgate.litellm.bulk import BulkAnswer, BulkItems
from tollgate.litellm.bulk_operations import TEAMS_DELETE

app = litellm_api(Action.TEAM_DELETE)


@app.post("/management/v1/teams/bulk_delete", summary="Delete many teams", tags=["LiteLLM: bulk"])
def delete_many_teams(body: BulkItems, caller: Caller) -> BulkAnswer:
    return bulk.run(caller, body, TEAMS_DELETE)


handler = app.resolve
