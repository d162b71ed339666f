"""GET /routes: the routes of the gateway. Open to everyone, reads nothing."""

import importlib
from functools import cache

from tollgate.litellm import routes
from tollgate.litellm.api import litellm_api
from tollgate.litellm.routes import Routes

app = litellm_api(None)


@app.get("/routes", summary="Routes", tags=["LiteLLM: health"])
def routes_of_gateway() -> Routes:
    return _routes()


@cache
def _routes() -> Routes:
    # By name: one surface does not import another.
    return routes.listed(importlib.import_module("admin.system.openapi").document(""))


handler = app.resolve
