"""Handlers are tested from the front: an event in, an answer out, on an empty table each time."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def empty_table(table: None) -> None:
    """Every test starts with an empty table; a module that builds its own world once overrides this."""
