"""Handlers are tested from the front: an event in, an answer out, on an empty table each time."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def closed_connections() -> Iterator[None]:
    """The authorizer keeps one connection for the life of its environment; here that ends."""
    yield
    authorizer = sys.modules.get("authorizer")
    if authorizer is not None:
        authorizer._client()._connection.close()


@pytest.fixture(autouse=True)
def empty_table(table: None) -> None:
    """Every test starts with an empty table; a module that builds its own world once overrides this."""
