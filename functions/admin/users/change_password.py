"""POST /api/admin-users/{user_id}/change-password: a new password; ``me`` is the caller. Ends the user's sessions."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.sessions.login import login_service
from tollgate.sessions.model import ChangePassword, Message

app = admin_api(Action.ACCOUNT_OWN)


@app.post("/api/admin-users/<user_id>/change-password", summary="Change a password", tags=["Admin users"])
def change_password(user_id: str, body: ChangePassword, caller: Caller) -> Message:
    return login_service().change_password(caller, user_id, body)


handler = app.resolve
