"""PATCH /v2/organization/{organization_id}: the same by path, with a strict body."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import organizations
from tollgate.litellm.api import litellm_api
from tollgate.litellm.organizations import OrganizationWithMembers, PatchOrganization

app = litellm_api(Action.ORGANIZATION_LIMIT)


@app.patch("/v2/organization/<organization_id>", summary="Patch an organization", tags=["LiteLLM: organizations"])
def patch_organization(organization_id: str, body: PatchOrganization, caller: Caller) -> OrganizationWithMembers:
    return organizations.patch(caller, organization_id, body)


handler = app.resolve
