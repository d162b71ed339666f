"""GET /organization/info: an organization with its members and teams."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import organizations
from tollgate.litellm.api import litellm_api
from tollgate.litellm.organizations import OrganizationWithMembers

app = litellm_api(Action.ORGANIZATION_READ_OWN)


@app.get("/organization/info", summary="Organization", tags=["LiteLLM: organizations"])
def organization_info(
    organization_id: Annotated[str, Query(min_length=1, max_length=256)], caller: Caller
) -> OrganizationWithMembers:
    return organizations.info(caller, organization_id)


handler = app.resolve
