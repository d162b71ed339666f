"""POST /management/v1/users/bulk: make up to 500 users, each with a result of its own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import bulk
from tollgate.litellm.api import litellm_api
from tollgate.litellm.bulk import BulkAnswer, BulkUsers
from tollgate.litellm.bulk_operations import USERS_CREATE

app = litellm_api(Action.USER_MANAGE)


@app.post("/management/v1/users/bulk", summary="Create many users", tags=["LiteLLM: bulk"])
def create_many_users(body: BulkUsers, caller: Caller) -> BulkAnswer:
    return bulk.run(caller, body, USERS_CREATE)


handler = app.resolve
