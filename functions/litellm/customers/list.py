"""GET /customer/list, and /end_user/list: all customers, newest first."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import customers
from tollgate.litellm.api import litellm_api
from tollgate.litellm.customers import CustomerRow
from tollgate.litellm.errors import Shape

app = litellm_api(Action.CUSTOMER_READ, Shape.INTERNAL)


def list_customers(caller: Caller) -> list[CustomerRow]:
    return customers.listed(caller)


for path in ("/customer/list", "/end_user/list"):
    app.get(path, summary="List customers", tags=["LiteLLM: customers"])(list_customers)

handler = app.resolve
