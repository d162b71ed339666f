"""What LiteLLM's API says of a team counts on the very next call (Q-11, Q-23)."""

from __future__ import annotations

from typing import Any

from tests.proxy.plane import MODEL, Plane
from tests.support.api import call
from tests.support.upstream import answer, usage

TEAM = {"team_id": "Free Team"}


def done(path: str, body: dict[str, Any]) -> Any:
    answered = call("POST", path, body)
    assert answered.status == 200, answered.text
    return answered.body


def outcome(plane: Plane, model: str = "fast") -> tuple[int, str | None]:
    response = plane.chat(model)
    return response.status_code, response.json().get("error", {}).get("type")


def test_a_team_of_the_platform(plane: Plane) -> None:
    """It has no organization and pays no credits; its models, its block and its members' budgets count."""
    plane.credential()
    plane.alias()
    plane.alias("slow")
    plane.provider.does(MODEL, answer(used=usage(100, 10)))
    done("/team/new", TEAM)
    plane.key = done("/key/generate", TEAM)["key"]
    assert outcome(plane) == (200, None)
    done("/team/update", TEAM | {"models": ["slow"]})
    assert outcome(plane) == (403, "team_model_access_denied")
    done("/team/model/add", TEAM | {"models": ["f*"]})
    assert outcome(plane) == (200, None)
    done("/team/model/delete", TEAM | {"models": ["slow", "f*"]})
    assert outcome(plane, "slow") == (403, "team_model_access_denied")
    done("/team/update", TEAM | {"models": []})
    done("/team/block", TEAM)
    assert outcome(plane) == (401, "auth_error")
    done("/team/unblock", TEAM)
    assert outcome(plane) == (200, None)
    done("/team/update", TEAM | {"max_budget": 0})
    assert outcome(plane) == (422, "budget_exceeded")
    done("/team/update", TEAM | {"max_budget": None})
    done("/team/member_add", TEAM | {"member": {"role": "user", "user_id": "ana"}, "max_budget_in_team": 0})
    plane.key = done("/key/generate", TEAM | {"user_id": "ana"})["key"]
    assert outcome(plane) == (422, "budget_exceeded")
    done("/team/member_update", TEAM | {"user_id": "ana", "max_budget_in_team": 10})
    assert outcome(plane) == (200, None)
    done("/team/delete", {"team_ids": ["Free Team"]})
    assert outcome(plane) == (401, "token_not_found_in_db")
