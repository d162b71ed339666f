"""GET /api/teams/verify: the team that the presented key belongs to."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.verification import KeyVerified, verified

app = admin_api(Action.TEAM_READ)


@app.get("/api/teams/verify", summary="Verify a key", tags=["Teams"])
def verify_key(caller: Caller) -> KeyVerified:
    return verified(caller)


handler = app.resolve
