"""The profiles of the dialect (Q-55), for tests that hold each of them to its words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.environment import engine, other_settings

PROFILES = ("1.106", "1.80")


@contextmanager
def profile(name: str) -> Iterator[str]:
    """Inside, the settings are those of a stack with that profile."""
    with other_settings(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_COMPAT", name)
        patch.setenv("DYNAMODB_ENDPOINT_URL", engine.endpoint_url)
        yield name
