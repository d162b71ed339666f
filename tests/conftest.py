"""Fixtures of all tests. The environment comes first: Tollgate reads it at import."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator

import pytest

from tests.support import environment
from tests.support.clock import FakeClock

_DAY = 86_400
# Factories of the services that handlers use; each service has a ``clock``.
_SERVICES = {
    "organizations.service": "organization_service",
    "tenants.dashboard": "dashboard_service",
    "tenants.teams": "team_service",
    "tenants.offboarding": "offboarding_service",
    "tenants.teardown": "teardown",
    "keys.service": "key_service",
    "keys.management": "key_management",
    "tenants.budgets": "budget_service",
    "tenants.members": "member_service",
    "tenants.new_users": "new_user_service",
    "users.service": "user_service",
    "customers.service": "customer_service",
    "credits.service": "credit_service",
    "credits.movements": "movement_service",
    "credits.refill": "refill_service",
    "credits.checks": "check_service",
    "credits.trends": "trend_service",
    "credits.grants": "grant_service",
    "tenants.pricing": "pricing_service",
    "jobs.service": "job_service",
    "jobs.zombies": "zombie_service",
    "models.deployments": "deployment_service",
    "models.service": "model_service",
    "models.groups": "access_group_service",
    "models.model_groups": "model_group_service",
    "models.priced_models": "priced_model_service",
    "credentials.service": "credential_service",
    "usage.costs": "cost_service",
    "usage.service": "usage_service",
    "tenants.usage": "breakdown_service",
    "alerts.service": "alert_service",
    "users.admins": "admin_user_service",
    "sessions.service": "session_service",
    "sessions.login": "login_service",
    "tenants.users": "user_removal_service",
    "webhooks.service": "webhook_service",
    "http.conditions": "desk",
}


@pytest.fixture(scope="session", autouse=True)
def closed_connections() -> Iterator[None]:
    """The authorizer keeps one connection for the life of its environment; here that ends."""
    yield
    authorizer = sys.modules.get("authorizer")
    if authorizer is not None:
        authorizer._client()._connection.close()


@pytest.fixture(scope="session", autouse=True)
def closed_reader() -> Iterator[None]:
    """Usage is read over connections that stay for the life of an environment; here that ends."""
    yield
    reading = sys.modules.get("tollgate.usage.reading")
    if reading is not None:
        reading.close()


@pytest.fixture(autouse=True)
def restored_settings() -> None:
    """The settings of the tests, where no test runs a local cloud with its own."""
    environment.restore_settings()


@pytest.fixture
def table() -> None:
    """An empty table."""
    environment.empty_table()


@pytest.fixture
def noon() -> Iterator[None]:
    """It is noon of today when the test begins: no minute, day or month ends in it. The data plane reads real time."""
    real = time.time
    now = real()
    shift = now // _DAY * _DAY + _DAY / 2 - now
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: real() + shift)
        yield


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """The time of every service that handlers use."""
    fake = FakeClock()
    services = [
        getattr(importlib.import_module(f"tollgate.{module}"), factory)() for module, factory in _SERVICES.items()
    ]
    real = [service.clock for service in services]
    for service in services:
        object.__setattr__(service, "clock", fake)
    yield fake
    for service, clock in zip(services, real, strict=True):
        object.__setattr__(service, "clock", clock)
