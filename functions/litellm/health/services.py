"""GET /health/services: send a test to those who hear of alerts by a channel."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import health
from tollgate.litellm.api import litellm_api
from tollgate.litellm.health import ServiceHealth

app = litellm_api(Action.HEALTH_CHECK)


@app.get("/health/services", summary="Test a service", tags=["LiteLLM: health"])
def health_of_service(
    service: Annotated[str, Query(max_length=100, description="slack, slack_budget_alerts, webhook or sns")],
    caller: Caller,
) -> ServiceHealth:
    return health.services(caller, service)


handler = app.resolve
