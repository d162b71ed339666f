"""POST /organization/member_add: make users members of an organization."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import members
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.members import AddMembers, MembersAdded

app = litellm_api(Action.MEMBER_WRITE, Shape.AUTH)


@app.post("/organization/member_add", summary="Add members", tags=["LiteLLM: organizations"])
def add_organization_members(body: AddMembers, caller: Caller) -> MembersAdded:
    return members.add(caller, body)


handler = app.resolve
