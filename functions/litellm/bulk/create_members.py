"""POST /management/v1/teams/{team_id}/members/bulk: add up to 500 members of a team, each by himself."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import bulk
from tollgate.litellm.api import litellm_api
from tollgate.litellm.bulk import BulkAnswer, BulkMembers
from tollgate.litellm.bulk_operations import MEMBERS_CREATE

app = litellm_api(Action.MEMBER_WRITE)


@app.post("/management/v1/teams/<team_id>/members/bulk", summary="Add many members of a team", tags=["LiteLLM: bulk"])
def create_many_members(team_id: str, body: BulkMembers, caller: Caller) -> BulkAnswer:
    return bulk.run(caller, body, MEMBERS_CREATE, team_id=team_id)


handler = app.resolve
