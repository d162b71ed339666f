"""The dialect is tested from the front, on an empty table each time unless a module builds its world once."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def empty_table(table: None) -> None:
    """Every test starts with an empty table; a module that builds its own world once overrides this."""
