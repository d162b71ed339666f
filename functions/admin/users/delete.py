"""DELETE /api/admin-users/{user_id}: the end of an admin user."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.users import user_removal_service
from tollgate.users.admin_model import AdminUserDeleted

app = admin_api(Action.USER_WRITE)


@app.delete("/api/admin-users/<user_id>", summary="Delete an admin user", tags=["Admin users"])
def delete_admin_user(user_id: str, caller: Caller) -> AdminUserDeleted:
    return user_removal_service().delete(caller, user_id)


handler = app.resolve
