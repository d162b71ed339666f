"""Every file under events/ is executed, as ``make invoke`` would, on the demo's data, and gives its expected status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.cloud import Cloud
from local.invoke import find_function, invoke
from local.seed import seed_demo
from local.settings import Settings
from local.testing import MASTER_KEY, local_cloud
from tests.support.environment import ROOT, other_settings, raw_items, restore

EVENTS = ROOT / "events"
EXPECTED: dict[str, Any] = json.loads((EVENTS / "expected.json").read_text())
FILES = sorted(path.name for path in EVENTS.glob("*.json") if path.name != "expected.json")


def test_every_event_has_an_expectation_and_every_expectation_an_event() -> None:
    assert sorted(EXPECTED) == FILES


@dataclass(frozen=True)
class Demo:
    """The cloud with the demo's data, which every event finds as it was made."""

    cloud: Cloud
    items: list[dict[str, Any]]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with other_settings(), local_cloud(Settings()) as cloud:
        asyncio.run(seed_demo(cloud.gateway, MASTER_KEY))
        yield Demo(cloud, raw_items())


@pytest.mark.parametrize("name", FILES)
def test_the_function_answers_its_event(name: str, demo: Demo) -> None:
    async def run() -> Any:
        try:
            function = find_function(demo.cloud.gateway.functions, name.split(".", maxsplit=1)[0])
            return await invoke(demo.cloud, function, json.loads((EVENTS / name).read_text()))
        finally:
            await demo.cloud.gateway.stop()

    restore(demo.items)
    answer = asyncio.run(run())
    expected = EXPECTED[name]
    if isinstance(expected, int):
        assert answer["statusCode"] == expected, answer
    else:
        # Functions that are not behind a route: members that the answer must have.
        assert expected.items() <= answer.items()
