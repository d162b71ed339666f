"""GET /api/admin-users/setup/status: whether the first owner has still to be made. Open to everyone."""

from tollgate.http.api import admin_api
from tollgate.sessions.login import login_service
from tollgate.sessions.model import SetupStatus

app = admin_api(None)


@app.get("/api/admin-users/setup/status", summary="Setup status", tags=["Admin users"])
def get_setup_status() -> SetupStatus:
    return login_service().status()


handler = app.resolve
