"""GET /api/organizations/{organization_id}/transactions: the ledgers of an organization and its teams as one, paged."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.tenants import activity
from tollgate.tenants.activity import OrganizationTransactions

app = admin_api(Action.ORGANIZATION_READ)

PATH = "/api/organizations/<organization_id>/transactions"


@app.get(PATH, summary="List an organization's credit transactions", tags=["Organizations"])
def list_organization_transactions(organization_id: str, caller: Caller, paging: Paging) -> OrganizationTransactions:
    return activity.transactions(caller, organization_id, paging.request())


handler = app.resolve
