"""POST /team/bulk_member_add: up to 500 members, each with a result of his own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import team_members
from tollgate.litellm.api import litellm_api
from tollgate.litellm.team_members import ManyMembersAdded
from tollgate.litellm.team_requests import AddManyMembers

app = litellm_api(Action.MEMBER_WRITE)


@app.post("/team/bulk_member_add", summary="Add many members", tags=["LiteLLM: teams"])
def bulk_member_add(body: AddManyMembers, caller: Caller) -> ManyMembersAdded:
    return team_members.add_many(caller, body)


handler = app.resolve
