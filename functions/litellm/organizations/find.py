"""POST /organization/info: several organizations by their ids."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import organizations
from tollgate.litellm.api import litellm_api
from tollgate.litellm.organizations import OrganizationNames, OrganizationWithMembers

app = litellm_api(Action.ORGANIZATION_READ_OWN)


@app.post("/organization/info", summary="Organizations by id", tags=["LiteLLM: organizations"])
def organization_infos(body: OrganizationNames, caller: Caller) -> list[OrganizationWithMembers]:
    return organizations.infos(caller, body)


handler = app.resolve
