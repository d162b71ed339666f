"""Setting what all keys and teams have spent to nothing, by LiteLLM's API (contract litellm 1.1, 1.9, Q-45)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.litellm.test_keys import e1, generate
from tests.support import build
from tests.support.api import call, key
from tests.support.sessions import cheap_passwords, session
from tollgate.litellm import spend_reset

DONE = {"message": "Spend for all API Keys and Teams reset successfully", "status": "success"}


@pytest.fixture
def spent() -> dict[str, Any]:
    """A key and a team that have spent something of their budgets, and ones that have not, or have none."""
    build.organization()
    build.team(max_budget=10, budget_duration="30d")
    build.team("idle", max_budget=10)
    build.team("free")
    own = generate(max_budget=5, spend=2, team_id="free")
    generate()
    call("POST", "/api/budgets/team/acme-dev/adjust", {"spend": 7.5})
    return own


def spends() -> list[float]:
    """Of the team, and of the key."""
    teams = call("GET", "/team/info", query={"team_id": "acme-dev"}).body["team_info"]["spend"]
    return [teams, max(row["spend"] for row in call("GET", "/spend/keys").body)]


def adjustments() -> list[str]:
    body = call("GET", "/api/audit-logs", query={"action": "budget.adjusted"}).body
    return [event["resource_id"] for event in body["audit_logs"] if event["details"]["after"].get("reason")]


def test_every_budget_begins_anew(spent: dict[str, Any]) -> None:
    assert spends() == [7.5, 2]
    answer = call("POST", "/global/spend/reset")
    assert (answer.status, answer.body) == (200, DONE)
    assert spends() == [0, 0]
    assert adjustments() == ["team/acme-dev", f"key/{spent['token']}"]
    assert call("POST", "/global/spend/reset").body == DONE
    assert len(adjustments()) == 2


def test_who_is_cut_off_goes_on(spent: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(spend_reset, "_SECONDS", -1)
        answer = call("POST", "/global/spend/reset")
    message = "{'error': 'Not all spend is reset yet; send it again'}"
    assert (answer.status, answer.body) == (429, e1(message, "internal_error", "None", 429))
    assert answer.headers["retry-after"] == "1"
    assert call("POST", "/global/spend/reset").body == DONE
    assert spends() == [0, 0]


def test_only_the_master_key_may(spent: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even an owner of the platform by a key or a session of his."""
    cheap_passwords(monkeypatch)
    owner = build.admin_user("olga@example.com", role="owner")
    build.user("ana")
    callers = [key(generate(user_id=user_id)["key"]) for user_id in (owner["user_id"], "ana")]
    callers += [key(spent["key"]), session("olga@example.com")]
    for caller in callers:
        refused = call("POST", "/global/spend/reset", caller=caller)
        message = "Tried to access route=/global/spend/reset, which is only for MASTER KEY"
        assert (refused.status, refused.body) == (401, e1(message, "auth_error", "None", 401))
    assert spends() == [7.5, 2]
