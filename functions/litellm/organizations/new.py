"""POST /organization/new: a new organization with its budget row."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import organizations
from tollgate.litellm.api import litellm_api
from tollgate.litellm.organizations import NewOrganization, OrganizationRow

app = litellm_api(Action.ORGANIZATION_CREATE)


@app.post("/organization/new", summary="New organization", tags=["LiteLLM: organizations"])
def new_organization(body: NewOrganization, caller: Caller) -> OrganizationRow:
    return organizations.new(caller, body)


handler = app.resolve
