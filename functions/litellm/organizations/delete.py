"""DELETE /organization/delete: organizations with everything in them."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import organizations
from tollgate.litellm.api import litellm_api
from tollgate.litellm.organizations import OrganizationIds, OrganizationWithMembers

app = litellm_api(Action.ORGANIZATION_DELETE_MANY)


@app.delete("/organization/delete", summary="Delete organizations", tags=["LiteLLM: organizations"])
def delete_organizations(body: OrganizationIds, caller: Caller) -> list[OrganizationWithMembers]:
    return organizations.delete(caller, body)


handler = app.resolve
