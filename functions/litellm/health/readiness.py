"""GET /health/readiness: whether the table answers. Open to everyone."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from tollgate.litellm import health
from tollgate.litellm.api import litellm_api

app = litellm_api(None)


@app.get("/health/readiness", summary="Readiness", tags=["LiteLLM: health"])
def readiness() -> Response[dict[str, Any]]:
    status, body = health.ready(details=False)
    return Response(status, "application/json", body)


handler = app.resolve
