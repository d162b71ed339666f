"""GET /health/readiness/details: the long form."""

from typing import Any

from aws_lambda_powertools.event_handler import Response

from tollgate.auth.policy import Action
from tollgate.litellm import health
from tollgate.litellm.api import litellm_api

app = litellm_api(Action.HEALTH_READ)


@app.get("/health/readiness/details", summary="Readiness in detail", tags=["LiteLLM: health"])
def readiness_details() -> Response[dict[str, Any]]:
    status, body = health.ready(details=True)
    return Response(status, "application/json", body)


handler = app.resolve
