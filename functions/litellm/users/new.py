"""POST /user/new: a user with his places and, unless that is not wanted, a key."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import users
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.user_requests import NewUser
from tollgate.litellm.users import UserCreated

app = litellm_api(Action.USER_MANAGE, Shape.INTERNAL)


@app.post("/user/new", summary="New user", tags=["LiteLLM: users"])
def new_user(body: NewUser, caller: Caller) -> UserCreated:
    return users.new(caller, body)


handler = app.resolve
