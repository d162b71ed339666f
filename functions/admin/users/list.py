"""GET /api/admin-users: the users with a role on the platform, newest first."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller, Paging
from tollgate.users.admin_model import AdminUserEntry, AdminUserList
from tollgate.users.admins import admin_user_service

app = admin_api(Action.USER_READ)


@app.get("/api/admin-users", summary="List admin users", tags=["Admin users"])
def list_admin_users(caller: Caller, paging: Paging) -> AdminUserList:
    page = admin_user_service().list(caller, paging.request())
    return AdminUserList(users=[AdminUserEntry.of(user) for user in page.entries], next_cursor=page.next_cursor)


handler = app.resolve
