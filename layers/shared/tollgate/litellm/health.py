"""Whether the gateway is up, and whether those are who hear of alerts (contract litellm 0, 1.9, Q-32)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tollgate.alerts import repository as alerts
from tollgate.alerts.model import Channel
from tollgate.alerts.service import alert_service
from tollgate.auth.principal import Principal
from tollgate.core.clock import utc_now
from tollgate.http.openai_errors import is_80
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow, moment
from tollgate.table import readiness

ALIVE = "I'm alive!"
# What clients take features from.
_VERSIONS = {False: "1.106.2", True: "1.80.10"}
# Names of services, and the channel of alerts that does the same here.
_CHANNELS = {
    "slack": Channel.SLACK,
    "slack_budget_alerts": Channel.SLACK,
    "webhook": Channel.WEBHOOK,
    "sns": Channel.SNS,
}


class ServiceHealth(DialectRow):
    status: str
    message: str


def ready(*, details: bool) -> tuple[int, dict[str, Any]]:
    """Status and body: the short form of 1.106, or the long one, which 1.80 shows to everyone."""
    up = readiness.answers()
    short = {"status": ("connected" if is_80() else "healthy") if up else "unhealthy"}
    short["db"] = "connected" if up else "disconnected"
    whole = short | _details(utc_now()) if details or is_80() else short
    return (200 if up else 503), whole


def _details(now: datetime) -> dict[str, Any]:
    """There are no caches and no callbacks here that could be told of."""
    return {
        "cache": None,
        "litellm_version": _VERSIONS[is_80()],
        "success_callbacks": [],
        "use_aiohttp_transport": True,
        "last_updated": moment(now),
    }


def services(caller: Principal, service: str) -> ServiceHealth:
    """Sends a test to the platform's active alert rules of that channel. DialectError (422) where there is none."""
    channel = _CHANNELS.get(service)
    if channel is None:
        message = f"Service must be in list. Service={service} not in {sorted(_CHANNELS)}"
        raise DialectError(400, message, quoted=True)
    rules = [rule for rule in alerts.rules_of(None) if rule.channel is channel and rule.is_active]
    if not rules:
        message = f'"{service}" not in proxy config: general_settings. Unable to test this.'
        raise DialectError(422, message, quoted=True)
    for rule in rules:
        alert_service().test(caller, rule.rule_id)
    sent = f"{len(rules)} test {'alert' if len(rules) == 1 else 'alerts'}"
    return ServiceHealth(status="success", message=f"{sent} sent; GET /api/alerts/history tells what became of it")
