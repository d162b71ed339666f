"""PATCH /organization/member_update: change a member's role or budget."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import members
from tollgate.litellm.api import litellm_api
from tollgate.litellm.members import ChangeMember, MemberRow

app = litellm_api(Action.MEMBER_WRITE)


@app.patch("/organization/member_update", summary="Update a member", tags=["LiteLLM: organizations"])
def change_organization_member(body: ChangeMember, caller: Caller) -> MemberRow:
    return members.update(caller, body)


handler = app.resolve
