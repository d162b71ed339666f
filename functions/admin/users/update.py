"""PUT /api/admin-users/{user_id}: name, role, state or metadata of an admin user."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.users.admin_model import AdminUserAnswer, UpdateAdminUser
from tollgate.users.admins import admin_user_service

app = admin_api(Action.USER_WRITE)


@app.put("/api/admin-users/<user_id>", summary="Update an admin user", tags=["Admin users"])
def update_admin_user(user_id: str, body: UpdateAdminUser, caller: Caller) -> AdminUserAnswer:
    return admin_user_service().update(caller, user_id, body)


handler = app.resolve
