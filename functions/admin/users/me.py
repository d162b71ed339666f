"""GET /api/admin-users/me: the user who calls."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.sessions.service import session_service
from tollgate.users.admin_model import AdminUserAnswer

app = admin_api(Action.ACCOUNT_OWN)


@app.get("/api/admin-users/me", summary="Get the user who calls", tags=["Admin users"])
def get_current_user(caller: Caller) -> AdminUserAnswer:
    return session_service().me(caller)


handler = app.resolve
