"""POST /api/admin-users/login: a session for a user's e-mail address and password. Open to everyone."""

from tollgate.http.api import admin_api
from tollgate.http.dependencies import Stranger
from tollgate.sessions.login import login_service
from tollgate.sessions.model import LoggedIn, LogIn

app = admin_api(None)


@app.post("/api/admin-users/login", summary="Log in", tags=["Admin users"])
def log_in(body: LogIn, origin: Stranger) -> LoggedIn:
    return login_service().log_in(origin, body)


handler = app.resolve
