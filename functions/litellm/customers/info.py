"""GET /customer/info, and /end_user/info: a customer with what was spent under his id."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import customers
from tollgate.litellm.api import litellm_api
from tollgate.litellm.customers import CustomerRow
from tollgate.litellm.errors import Shape

app = litellm_api(Action.CUSTOMER_READ, Shape.INTERNAL)


def customer_info(end_user_id: Annotated[str, Query(min_length=1, max_length=256)], caller: Caller) -> CustomerRow:
    return customers.info(caller, end_user_id)


for path in ("/customer/info", "/end_user/info"):
    app.get(path, summary="Customer", tags=["LiteLLM: customers"])(customer_info)

handler = app.resolve
