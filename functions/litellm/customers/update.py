"""POST /customer/update, and /end_user/update: change the fields that are sent."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import customers
from tollgate.litellm.api import litellm_api
from tollgate.litellm.customers import CustomerRow, UpdateCustomer
from tollgate.litellm.errors import Shape

app = litellm_api(Action.CUSTOMER_WRITE, Shape.INTERNAL)


def update_customer(body: UpdateCustomer, caller: Caller) -> CustomerRow:
    return customers.update(caller, body)


for path in ("/customer/update", "/end_user/update"):
    app.post(path, summary="Update a customer", tags=["LiteLLM: customers"])(update_customer)

handler = app.resolve
