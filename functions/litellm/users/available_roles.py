"""GET /user/available_roles: the roles that a user can have on the platform."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import user_info
from tollgate.litellm.api import litellm_api
from tollgate.litellm.user_info import RoleDescription

app = litellm_api(Action.USER_READ_OWN)


@app.get("/user/available_roles", summary="The roles of users", tags=["LiteLLM: users"])
def available_roles(_: Caller) -> dict[str, RoleDescription]:
    return user_info.ROLES


handler = app.resolve
