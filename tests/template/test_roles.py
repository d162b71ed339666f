"""Every admin function's role against what the function really asks of AWS: moto allows everything, IAM does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from local.intrinsics import load_template
from tests.support.api import MASTER, call
from tests.support.requests import Endpoint, World, admin_endpoints
from tests.template.reading import functions, of_type

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = load_template((ROOT / "template.yaml").read_text())
WORLD = World()


def allowed(function: str) -> set[str]:
    """The actions that the function's role allows, by its own policies and the stack's managed ones."""
    role = of_type(TEMPLATE, "AWS::IAM::Role")[functions(TEMPLATE)[function]["Role"]["Fn::GetAtt"][0]]
    managed = of_type(TEMPLATE, "AWS::IAM::ManagedPolicy")
    policies = [own["PolicyDocument"] for own in role.get("Policies", [])]
    policies += [managed[policy["Ref"]]["PolicyDocument"] for policy in role["ManagedPolicyArns"]]
    actions = [statement["Action"] for policy in policies for statement in policy["Statement"]]
    return {action for listed in actions for action in ([listed] if isinstance(listed, str) else listed)}


def asked(service: str, operation: str, parameters: dict[str, Any]) -> set[str]:
    """The actions that IAM checks for one call; a transaction is the actions of its items."""
    if operation == "TransactWriteItems":
        kinds = {kind for item in parameters["TransactItems"] for kind in item}
        return {f"{service}:{'ConditionCheckItem' if kind == 'ConditionCheck' else f'{kind}Item'}" for kind in kinds}
    if operation == "TransactGetItems":
        return {f"{service}:GetItem"}
    return {f"{service}:{operation}"}


@pytest.mark.parametrize("endpoint", admin_endpoints(), ids=str)
def test_role_allows_what_the_function_does(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    valid = endpoint.valid
    WORLD.build()
    if valid.before is not None:
        valid.before()
    seen: set[str] = set()
    original = BaseClient._make_api_call

    def record(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        seen.update(asked(client.meta.service_model.service_name, operation, parameters))
        return original(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    answer = call(endpoint.method, endpoint.path(WORLD.values), body=valid.body, query=valid.query, caller=MASTER)
    assert answer.status == valid.status
    assert seen <= allowed(endpoint.function)
