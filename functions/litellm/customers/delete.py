"""POST /customer/delete, and /end_user/delete: forget customers."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import customers
from tollgate.litellm.api import litellm_api
from tollgate.litellm.customers import CustomerIds, CustomersDeleted
from tollgate.litellm.errors import Shape

app = litellm_api(Action.CUSTOMER_WRITE, Shape.INTERNAL)


def delete_customers(body: CustomerIds, caller: Caller) -> CustomersDeleted:
    return customers.delete(caller, body)


for path in ("/customer/delete", "/end_user/delete"):
    app.post(path, summary="Delete customers", tags=["LiteLLM: customers"])(delete_customers)

handler = app.resolve
