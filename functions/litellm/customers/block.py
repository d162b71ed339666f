"""POST /customer/block, and /end_user/block: refuse every call that names one of them."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import customers
from tollgate.litellm.api import litellm_api
from tollgate.litellm.customers import CustomerIds, CustomersBlocked

app = litellm_api(Action.CUSTOMER_WRITE)


def block_customers(body: CustomerIds, caller: Caller) -> CustomersBlocked:
    return customers.block(caller, body)


for path in ("/customer/block", "/end_user/block"):
    app.post(path, summary="Block customers", tags=["LiteLLM: customers"])(block_customers)

handler = app.resolve
