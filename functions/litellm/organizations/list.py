"""GET /organization/list: all organizations, or those that one is a member of."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import organizations
from tollgate.litellm.api import litellm_api
from tollgate.litellm.organizations import OrganizationWithMembers

app = litellm_api(Action.ACCOUNT_OWN)


@app.get("/organization/list", summary="List organizations", tags=["LiteLLM: organizations"])
def list_organizations_of_caller(
    caller: Caller,
    org_id: Annotated[str | None, Query(min_length=1, max_length=256)] = None,
    org_alias: Annotated[
        str | None, Query(max_length=500, description="is part of the alias, whatever its case")
    ] = None,
) -> list[OrganizationWithMembers]:
    return organizations.listed(caller, org_id, org_alias)


handler = app.resolve
