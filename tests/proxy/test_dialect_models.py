"""Calls of models that LiteLLM's API has made: on the very next call, with the secret and at the price that were said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.proxy.plane import MODEL, SECRET, Plane
from tests.support import build
from tests.support.api import call
from tests.support.upstream import answer, refuse, usage

OWN = "canary-of-the-target-0123"
COSTS = {"input_cost_per_token": "0.00001", "output_cost_per_token": "0.00005"}


def made(plane: Plane, model_name: str = "smart", **fields: Any) -> dict[str, Any]:
    """A model behind the provider of these tests."""
    model = fields.pop("model", f"openai/{MODEL}")
    return build.model(
        model_name, model, **{"api_base": f"{plane.provider.url}/v1", "max_tokens": 1000} | COSTS | fields
    )


def sent(plane: Plane) -> list[str]:
    """The secrets that the provider got, in the order of its calls."""
    return [received.headers["authorization"].removeprefix("Bearer ") for received in plane.provider.calls]


def test_the_very_next_call(plane: Plane, team: dict[str, Any]) -> None:
    assert plane.chat("smart").status_code == 400
    row = made(plane, api_key=OWN)
    plane.provider.does(MODEL, answer("Hello!", used=usage(100, 10)))
    response = plane.chat("smart")
    assert response.status_code == 200, response.text
    assert response.headers["x-litellm-model-id"] == row["model_id"]
    record = plane.record()
    assert (Decimal(record["cost_usd"]), record["credential_source"]) == (Decimal("0.0015"), "platform")
    assert sent(plane) == [OWN]
    call("PATCH", f"/model/{row['model_id']}/update", {"litellm_params": {"api_key": f"{OWN}-2"}})
    plane.chat("smart")
    assert sent(plane)[-1] == f"{OWN}-2"
    call("PATCH", f"/model/{row['model_id']}/update", {"litellm_params": {"api_key": None}})
    plane.chat("smart")
    assert sent(plane)[-1] == SECRET
    call("POST", "/model/delete", {"id": row["model_id"]})
    assert plane.chat("smart").status_code == 400


def test_the_named_credential_and_no_other(plane: Plane, team: dict[str, Any]) -> None:
    named = plane.credential(credential_name="named", api_key=OWN)
    call("PUT", f"/api/provider-credentials/{named['credential_id']}/deactivate")
    made(plane, litellm_credential_name="named")
    plane.chat("smart")
    assert sent(plane) == [OWN]
    call("PATCH", "/credentials/named", {"credential_values": {"api_key": f"{OWN}-2"}})
    plane.chat("smart")
    assert sent(plane) == [OWN, f"{OWN}-2"]


def test_an_organizations_own_comes_before_both(plane: Plane, team: dict[str, Any]) -> None:
    """Its own is used alone (Q-42)."""
    made(plane, api_key=OWN)
    plane.credential(organization_id="org_acme", api_key="canary-of-the-organization")
    plane.chat("smart")
    assert sent(plane) == ["canary-of-the-organization"]
    assert plane.record()["credential_source"] == "organization"


def test_two_of_a_name_and_one_of_them_blocked(plane: Plane, team: dict[str, Any]) -> None:
    first, second = (made(plane, api_key=f"{OWN}-{number}") for number in (1, 2))
    plane.provider.does(MODEL, refuse(500))
    assert plane.chat("smart").status_code == 502
    assert sorted(sent(plane)) == [f"{OWN}-1", f"{OWN}-2"]
    plane.provider.forget()
    plane.provider.does(MODEL, answer())
    call("PATCH", f"/model/{first['model_id']}/update", {"blocked": True})
    assert plane.chat("smart").headers["x-litellm-model-id"] == second["model_id"]
    assert sent(plane) == [f"{OWN}-2"]


def test_an_address_of_its_own_and_the_price_of_its_base_model(plane: Plane, team: dict[str, Any]) -> None:
    made(
        plane,
        model="azure/mine",
        api_key=OWN,
        api_base=plane.provider.url,
        api_version="2024-10-21",
        input_cost_per_token=None,
        output_cost_per_token=None,
        model_info={"base_model": "azure/gpt-4o"},
    )
    plane.provider.does("mine", answer("Hello!", used=usage(100, 10)))
    response = plane.chat("smart")
    assert response.status_code == 200, response.text
    assert plane.provider.last.path == "/openai/deployments/mine/chat/completions?api-version=2024-10-21"
    assert plane.provider.last.headers["api-key"] == OWN
    assert Decimal(plane.record()["cost_usd"]) == 100 * Decimal("0.0000025") + 10 * Decimal("0.00001")


@pytest.mark.parametrize("secret", [OWN, SECRET])
def test_a_refusal_tells_nothing_of_what_is_behind(plane: Plane, team: dict[str, Any], secret: str) -> None:
    made(plane, api_key=secret)
    plane.provider.does(MODEL, refuse(400, message=f"{MODEL} does not like {secret}"))
    assert plane.chat("smart").json()["error"]["message"] == "smart does not like ***"
