"""GET /api/admin-users/{user_id}: an admin user."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.users.admin_model import AdminUserAnswer
from tollgate.users.admins import admin_user_service

app = admin_api(Action.USER_READ)


@app.get("/api/admin-users/<user_id>", summary="Get an admin user", tags=["Admin users"])
def get_admin_user(user_id: str, caller: Caller) -> AdminUserAnswer:
    return admin_user_service().get(caller, user_id)


handler = app.resolve
