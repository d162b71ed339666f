"""Whatever the document allows, and much that it does not: never a 5xx, and an answer as documented (schemathesis)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from local.testing import MASTER_KEY
from tests.contract.conftest import World

# Not the content type: API Gateway's own answers, which are of both shapes, are plain JSON.
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
# 503 is what has to be said where no model is healthy; a stream is one text in our document, and events to schemathesis.
EXCEPTIONS = {"/health": not_a_server_error, "stream": response_schema_conformance}
SHORT, LONG = 2, 8


@pytest.fixture(scope="session")
def schema(world: World, document: dict[str, Any]) -> Any:
    return schemathesis.openapi.from_dict(document)


def _fuzz(schema: Any, world: World, caller: str, examples: int) -> None:
    for result in schema.get_all_operations():
        world.restore()
        _fuzz_operation(result.ok(), world, caller, examples)


def _fuzz_operation(operation: Any, world: World, caller: str, examples: int) -> None:
    turns = itertools.count()
    checks = [check for check in CHECKS if check is not EXCEPTIONS.get(operation.path.rpartition("-")[2])]
    key = MASTER_KEY if caller == "master" else world.team_key

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def fuzz(case: Any) -> None:
        _aim(case, world, existing=next(turns) % 2 == 1)
        case.call_and_validate(
            base_url=world.url, headers={"authorization": f"Bearer {key}"}, checks=checks, timeout=30
        )

    fuzz()


def _aim(case: Any, world: World, *, existing: bool) -> None:
    """The one credential is ours. Most generated ids exist nowhere: every other case is about something that does."""
    for header in ("X-Admin-Key", "Authorization"):
        (case.headers or {}).pop(header, None)
    if not existing:
        return
    for name in case.path_parameters or {}:
        case.path_parameters[name] = world.ids.get(name, case.path_parameters[name])
    if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
        case.body["model"] = "local/echo"


@pytest.mark.parametrize("caller", ["master", "team"])
def test_a_few_of_each(schema: Any, world: World, caller: str) -> None:
    _fuzz(schema, world, caller, SHORT)


@pytest.mark.engine
@pytest.mark.parametrize("caller", ["master", "team"])
def test_many_of_each(schema: Any, world: World, caller: str) -> None:
    _fuzz(schema, world, caller, LONG)
