"""GET /health/liveliness, /health/liveness: the API is there. Open to everyone, reads nothing."""

from aws_lambda_powertools.event_handler import Response

from tollgate.core.json import dumps
from tollgate.litellm.api import litellm_api
from tollgate.litellm.health import ALIVE

app = litellm_api(None)


@app.get("/health/liveness", summary="Liveness", tags=["LiteLLM: health"])
@app.get("/health/liveliness", summary="Liveness", tags=["LiteLLM: health"])
def liveliness() -> Response[str]:
    return Response(200, "application/json", dumps(ALIVE))


handler = app.resolve
