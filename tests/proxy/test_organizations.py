"""What LiteLLM's API says of an organization and its members counts on the very next call (Q-23, Q-48)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, cost
from tests.support import build
from tests.support.api import call
from tests.support.upstream import answer, usage


@pytest.fixture
def team(plane: Plane) -> None:
    build.organization()
    plane.credential()
    plane.alias()
    plane.alias("slow")
    plane.team()
    plane.provider.does(MODEL, answer(used=usage(100, 10)))


def change(**fields: Any) -> None:
    answered = call("PATCH", "/organization/update", {"organization_id": "org_acme"} | fields)
    assert answered.status == 200, answered.text


def refusal(plane: Plane, model: str) -> tuple[int, str]:
    response = plane.chat(model)
    return response.status_code, response.json()["error"]["type"]


def test_models_of_an_organization(plane: Plane, team: None) -> None:
    change(models=["slow"])
    assert refusal(plane, "fast") == (403, "organization_model_access_denied")
    assert plane.chat("slow").status_code == 200
    change(models=[])
    assert plane.chat("fast").status_code == 200


def test_other_names_of_models(plane: Plane, team: None) -> None:
    """A name is allowed by whoever has it; what it stands for has to pass everybody else. The key's own comes first."""
    assert refusal(plane, "quick") == (400, "invalid_request_error")
    change(models=["slow"], model_aliases={"quick": "fast", "gone": "nope"})
    assert plane.chat("quick").status_code == 200
    assert plane.books("acme-dev").records[-1]["requested_model"] == "fast"
    assert refusal(plane, "gone") == (400, "invalid_request_error")
    plane.key = build.issued_key("acme-dev", models=["slow"])["virtual_key"]
    assert refusal(plane, "quick") == (403, "key_model_access_denied")
    change(model_aliases=None)
    assert refusal(plane, "quick") == (403, "key_model_access_denied")


def test_a_blocked_organization(plane: Plane, team: None) -> None:
    change(blocked=True)
    response = plane.chat()
    assert (response.status_code, response.json()["error"]["type"]) == (401, "auth_error")
    change(blocked=False)
    assert plane.chat().status_code == 200


def test_the_budget_of_a_member(plane: Plane, team: None) -> None:
    member = {"organization_id": "org_acme", "user_id": "ana"}
    added = {"member": {"role": "internal_user", "user_id": "ana"}, "max_budget_in_organization": 0}
    assert call("POST", "/organization/member_add", {"organization_id": "org_acme"} | added).status == 200
    plane.key = build.issued_key("acme-dev", user_id="ana")["virtual_key"]
    assert refusal(plane, "fast") == (422, "budget_exceeded")
    assert call("PATCH", "/organization/member_update", member | {"max_budget_in_organization": 10}).status == 200
    assert plane.chat().status_code == 200
    shown = call("GET", "/organization/info", query={"organization_id": "org_acme"}).body
    (row,) = shown["members"]
    assert row["spend"] == pytest.approx(float(cost(100, 10)))
