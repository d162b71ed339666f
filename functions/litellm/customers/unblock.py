"""POST /customer/unblock, and /end_user/unblock: end blocks."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import customers
from tollgate.litellm.api import litellm_api
from tollgate.litellm.customers import CustomerIds, StillBlocked

app = litellm_api(Action.CUSTOMER_WRITE)


def unblock_customers(body: CustomerIds, caller: Caller) -> StillBlocked:
    return customers.unblock(caller, body)


for path in ("/customer/unblock", "/end_user/unblock"):
    app.post(path, summary="Unblock customers", tags=["LiteLLM: customers"])(unblock_customers)

handler = app.resolve
