"""POST /user/bulk_update: change up to 500 users, each on his own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import users
from tollgate.litellm.api import litellm_api
from tollgate.litellm.user_requests import ChangeUsers
from tollgate.litellm.users import UsersUpdated

app = litellm_api(Action.USER_WRITE)


@app.post("/user/bulk_update", summary="Change many users", tags=["LiteLLM: users"])
def change_users(body: ChangeUsers, caller: Caller) -> UsersUpdated:
    return users.bulk_update(caller, body)


handler = app.resolve
