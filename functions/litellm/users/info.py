"""GET /user/info: a user with his keys and teams."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import user_info
from tollgate.litellm.api import litellm_api
from tollgate.litellm.errors import Shape
from tollgate.litellm.user_info import UserInfo

app = litellm_api(Action.USER_READ_OWN, Shape.INTERNAL)


@app.get("/user/info", summary="Get a user", tags=["LiteLLM: users"])
def info_user(
    caller: Caller,
    user_id: Annotated[str | None, Query(min_length=1, max_length=256, description="else the caller")] = None,
) -> UserInfo:
    return user_info.info(caller, user_id)


handler = app.resolve
