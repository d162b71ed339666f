"""GET /api/stats/dashboard: the platform's organizations, teams, credits, jobs and costs on one page."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.dashboard import Dashboard, dashboard_service

app = admin_api(Action.USAGE_READ_PLATFORM)


@app.get("/api/stats/dashboard", summary="Show the platform's dashboard", tags=["Usage"])
def get_dashboard(caller: Caller) -> Dashboard:
    return dashboard_service().read(caller)


handler = app.resolve
