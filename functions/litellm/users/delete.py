"""POST /user/delete: delete users with their keys and memberships."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import users
from tollgate.litellm.api import litellm_api
from tollgate.litellm.user_requests import UserIds

app = litellm_api(Action.USER_MANAGE)


@app.post("/user/delete", summary="Delete users", tags=["LiteLLM: users"])
def delete_users(body: UserIds, caller: Caller) -> int:
    return users.delete(caller, body)


handler = app.resolve
