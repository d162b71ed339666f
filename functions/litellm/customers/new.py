"""POST /customer/new, and /end_user/new: say something of an end user, and limit him."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import customers
from tollgate.litellm.api import litellm_api
from tollgate.litellm.customers import CustomerRow, NewCustomer
from tollgate.litellm.errors import Shape

app = litellm_api(Action.CUSTOMER_WRITE, Shape.INTERNAL)


def new_customer(body: NewCustomer, caller: Caller) -> CustomerRow:
    return customers.new(caller, body)


for path in ("/customer/new", "/end_user/new"):
    app.post(path, summary="New customer", tags=["LiteLLM: customers"])(new_customer)

handler = app.resolve
