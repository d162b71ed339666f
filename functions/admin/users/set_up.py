"""POST /api/admin-users/setup: the first owner. On a deployed stack only with the master key."""

from aws_lambda_powertools.event_handler import Request

from tollgate.http.api import admin_api
from tollgate.http.dependencies import Stranger
from tollgate.http.identity import admit_setup
from tollgate.sessions.login import login_service
from tollgate.sessions.model import LoggedIn, SetUp

app = admin_api(None)


@app.post("/api/admin-users/setup", summary="Make the first owner", tags=["Admin users"])
def set_up(body: SetUp, request: Request, origin: Stranger) -> LoggedIn:
    admit_setup(request.resolved_event.raw_event)
    return login_service().set_up(origin, body)


handler = app.resolve
