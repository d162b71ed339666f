"""POST /management/v1/users/bulk_delete: delete up to 500 users, each with a result of its own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import bulk
from tollgate.litellm.api import litellm_api
from tollgate.litellm.bulk import BulkAnswer, BulkUsers
from tollgate.litellm.bulk_operations import USERS_DELETE

app = litellm_api(Action.USER_MANAGE)


@app.post("/management/v1/users/bulk_delete", summary="Delete many users", tags=["LiteLLM: bulk"])
def delete_many_users(body: BulkUsers, caller: Caller) -> BulkAnswer:
    return bulk.run(caller, body, USERS_DELETE)


handler = app.resolve
