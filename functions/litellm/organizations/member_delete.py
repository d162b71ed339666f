"""DELETE /organization/member_delete: end a membership."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import members
from tollgate.litellm.api import litellm_api
from tollgate.litellm.members import MemberRow, RemoveMember

app = litellm_api(Action.MEMBER_WRITE)


@app.delete("/organization/member_delete", summary="Remove a member", tags=["LiteLLM: organizations"])
def remove_organization_member(body: RemoveMember, caller: Caller) -> MemberRow:
    return members.delete(caller, body)


handler = app.resolve
