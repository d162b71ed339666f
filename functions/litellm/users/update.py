"""POST /user/update: change the fields that are sent."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import users
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.user_requests import ChangeUser
from tollgate.litellm.users import UserUpdated

app = litellm_api(Action.ACCOUNT_OWN, Shape.AUTH)


@app.post("/user/update", summary="Change a user", tags=["LiteLLM: users"])
def change_user(body: ChangeUser, caller: Caller) -> UserUpdated:
    return users.update(caller, body)


handler = app.resolve
