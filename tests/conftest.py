"""Fixtures of all tests. The environment comes first: Tollgate reads it at import."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from tests.support import environment
from tests.support.clock import FakeClock

# Factories of the services that handlers use; each service has a ``clock``.
_SERVICES = {
    "organizations.service": "organization_service",
    "tenants.teams": "team_service",
    "tenants.offboarding": "offboarding_service",
    "keys.service": "key_service",
    "tenants.budgets": "budget_service",
    "tenants.members": "member_service",
    "users.service": "user_service",
    "credits.service": "credit_service",
    "credits.movements": "movement_service",
    "credits.refill": "refill_service",
    "models.service": "model_service",
    "models.groups": "access_group_service",
    "credentials.service": "credential_service",
    "usage.service": "usage_service",
    "tenants.usage": "breakdown_service",
    "alerts.service": "alert_service",
}


@pytest.fixture(autouse=True)
def restored_settings() -> None:
    """The settings of the tests, where no test runs a local cloud with its own."""
    environment.restore_settings()


@pytest.fixture
def table() -> None:
    """An empty table."""
    environment.empty_table()


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
