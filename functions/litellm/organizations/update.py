"""PATCH /organization/update: change what is sent of an organization."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import organizations
from tollgate.litellm.api import litellm_api
from tollgate.litellm.organizations import ChangeOrganization, OrganizationWithMembers

app = litellm_api(Action.ORGANIZATION_UPDATE)


@app.patch("/organization/update", summary="Update an organization", tags=["LiteLLM: organizations"])
def change_organization(body: ChangeOrganization, caller: Caller) -> OrganizationWithMembers:
    return organizations.update(caller, body)


handler = app.resolve
