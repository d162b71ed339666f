"""GET /user/list: the users that the caller sees, by pages."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import user_lists
from tollgate.litellm.api import litellm_api
from tollgate.litellm.user_lists import UserPage, UserQuery

app = litellm_api(Action.USER_READ_OWN)


@app.get("/user/list", summary="List users", tags=["LiteLLM: users"])
def list_users_by_page(query: Annotated[UserQuery, Query()], caller: Caller) -> UserPage:
    return user_lists.listed(caller, query)


handler = app.resolve
