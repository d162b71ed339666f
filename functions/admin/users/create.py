"""POST /api/admin-users: a user with a role on the platform, who may log in at once."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.users.admin_model import AdminUserAnswer, CreateAdminUser
from tollgate.users.admins import admin_user_service

app = admin_api(Action.USER_WRITE)


@app.post("/api/admin-users", summary="Create an admin user", tags=["Admin users"])
def create_admin_user(body: CreateAdminUser, caller: Caller) -> AdminUserAnswer:
    return admin_user_service().create(caller, body)


handler = app.resolve
