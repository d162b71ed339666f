"""Probes, tests of who hears of alerts, and the list of routes (contract litellm 0, 1.9; Q-32, Q-55)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import NOBODY, ROUTES, call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items
from tests.support.profiles import profile
from tollgate.table import readiness

LONG = {"cache": None, "success_callbacks": [], "use_aiohttp_transport": True}


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness"])
def test_it_is_alive(path: str) -> None:
    answer = call("GET", path, caller=NOBODY)
    assert (answer.status, answer.text, answer.headers["content-type"]) == (200, '"I\'m alive!"', "application/json")


def untimed(body: dict[str, Any]) -> dict[str, Any]:
    assert body.pop("last_updated").endswith("+00:00")
    return body


def test_readiness_in_both_profiles() -> None:
    short = {"status": "healthy", "db": "connected"}
    assert call("GET", "/health/readiness", caller=NOBODY).body == short
    details = call("GET", "/health/readiness/details")
    assert (details.status, untimed(details.body)) == (200, short | LONG | {"litellm_version": "1.106.2"})
    with profile("1.80"):
        for path, caller in (("/health/readiness", NOBODY), ("/health/readiness/details", {"kind": "master"})):
            body = untimed(call("GET", path, caller=caller).body)
            assert body == {"status": "connected", "db": "connected", "litellm_version": "1.80.10"} | LONG


def test_a_table_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from pynamodb.exceptions import GetError

    def fails(*_: Any) -> None:
        raise GetError

    monkeypatch.setattr(readiness.Item, "find", fails)
    answer = call("GET", "/health/readiness", caller=NOBODY)
    assert (answer.status, answer.body) == (503, {"status": "unhealthy", "db": "disconnected"})


def test_the_long_form_is_for_the_platform() -> None:
    build.organization()
    team = key(build.team()["virtual_key"])
    for path in ("/health/readiness/details", "/health/services?service=slack"):
        answer = call("GET", path.partition("?")[0], query={"service": "slack"}, caller=team)
        assert (answer.status, answer.body["error"]["type"]) == (401, "auth_error")


def test_a_service_is_tested_as_natively(clock: FakeClock) -> None:
    build.organization()
    build.alert_rule(organization_id="org_acme")
    assert call("GET", "/health/services", query={"service": "webhook"}).status == 422
    mine = build.alert_rule()
    build.alert_rule(is_active=False)
    answer = call("GET", "/health/services", query={"service": "webhook"})
    assert (answer.status, answer.body) == (
        200,
        {"status": "success", "message": "1 test alert sent; GET /api/alerts/history tells what became of it"},
    )
    (alert,) = [item for item in all_items() if item["kind"] == "alert"]
    assert mine["rule_id"] in str(alert)


@pytest.mark.parametrize(
    ("service", "status", "message"),
    [
        ("slack", 422, '"slack" not in proxy config: general_settings. Unable to test this.'),
        (
            "langfuse",
            400,
            "Service must be in list. Service=langfuse not in ['slack', 'slack_budget_alerts', 'sns', 'webhook']",
        ),
    ],
)
def test_services_that_nobody_has(service: str, status: int, message: str) -> None:
    answer = call("GET", "/health/services", query={"service": service})
    assert (answer.status, answer.body) == (status, {"detail": {"error": message}})


def test_the_routes_are_those_of_the_template() -> None:
    answer = call("GET", "/routes", caller=NOBODY)
    assert answer.status == 200
    rows = answer.body["routes"]
    found = {(row["methods"][0], row["path"]) for row in rows}
    managed = {
        (route.method, route.path.replace("+}", "}"))
        for route in ROUTES
        if route.function != "ProxyFunction" and route.path not in {"/openapi.json", "/docs", "/redoc"}
    }
    assert found >= managed
    (own,) = [row for row in rows if row["path"] == "/routes"]
    assert own == {"path": "/routes", "methods": ["GET"], "name": "Routes", "endpoint": "litellmroutes_of_gateway"}


def test_the_route_itself() -> None:
    assert call("GET", "/test", caller=NOBODY).body == {"route": "/test"}
