"""POST /api/admin-users/logout: the end of the caller's session."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.sessions.model import Message
from tollgate.sessions.service import session_service

app = admin_api(Action.ACCOUNT_OWN)


@app.post("/api/admin-users/logout", summary="Log out", tags=["Admin users"])
def log_out(caller: Caller) -> Message:
    return session_service().log_out(caller)


handler = app.resolve
