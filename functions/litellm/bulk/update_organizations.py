"""POST /management/v1/organizations/bulk_update: change up to 500 organizations, each with a result of its own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import bulk
from tollgate.litellm.api import litellm_api
from tollgate.litellm.bulk import BulkAnswer, BulkItems
from tollgate.litellm.bulk_operations import ORGANIZATIONS_UPDATE

app = litellm_api(Action.ORGANIZATION_UPDATE)


@app.post("/management/v1/organizations/bulk_update", summary="Change many organizations", tags=["LiteLLM: bulk"])
def update_many_organizations(body: BulkItems, caller: Caller) -> BulkAnswer:
    return bulk.run(caller, body, ORGANIZATIONS_UPDATE)


handler = app.resolve
