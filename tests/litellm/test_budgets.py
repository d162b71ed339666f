"""Budget rows by LiteLLM's API: the same rows as ``/api/budgets/shared`` (contract litellm 1.7, Q-52)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.support import build
from tests.support.api import call, key
from tests.support.clock import FakeClock

FIELDS = {
    "soft_budget": None,
    "max_parallel_requests": None,
    "tpm_limit": None,
    "rpm_limit": None,
    "tpd_limit": None,
    "model_max_budget": {},
    "budget_duration": None,
    "budget_reset_at": None,
    "allowed_models": None,
    "temp_budget_increase": None,
    "temp_budget_expiry": None,
    "created_by": "default_user_id",
    "updated_by": "default_user_id",
}


def new(**fields: Any) -> dict[str, Any]:
    answer = call("POST", "/budget/new", fields)
    assert answer.status == 200, answer.text
    row: dict[str, Any] = answer.body
    return row


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """Without its times, which have to be ones that clients can parse."""
    times = [row[name] for name in ("created_at", "updated_at")]
    assert all(datetime.fromisoformat(time).utcoffset() is not None for time in times)
    return {name: value for name, value in row.items() if name not in {"created_at", "updated_at"}}


def test_a_new_row_and_its_native_side() -> None:
    row = new(
        budget_id="Starter Plan", max_budget=10, model_max_budget={"gpt-4": {"budget_limit": 0.5, "time_period": "1d"}}
    )
    assert plain(row) == FIELDS | {
        "budget_id": "Starter Plan",
        "max_budget": 10,
        "model_max_budget": {"gpt-4": {"budget_limit": 0.5, "time_period": "1d"}},
    }
    native = call("GET", "/api/budgets/shared/Starter%20Plan").body
    assert (native["max_budget"], native["uses"]) == (10, 0)
    assert len(new(max_budget=1)["budget_id"]) == 36


def test_a_row_resets_by_the_calendar(clock: FakeClock) -> None:
    row = new(budget_id="monthly", max_budget=10, budget_duration="30d")
    reset = datetime.fromisoformat(row["budget_reset_at"])
    assert (reset.day, reset.hour, reset.utcoffset()) == (1, 0, reset.utcoffset())


def test_null_clears_and_absent_keeps() -> None:
    new(budget_id="a", max_budget=10, rpm_limit=5)
    answer = call("POST", "/budget/update", {"budget_id": "a", "max_budget": None})
    assert (answer.body["max_budget"], answer.body["rpm_limit"]) == (None, 5)


def test_lists_and_settings() -> None:
    for name in ("a", "b"):
        new(budget_id=name, max_budget=3)
    assert [row["budget_id"] for row in call("GET", "/budget/list").body] == ["b", "a"]
    found = call("POST", "/budget/info", {"budgets": ["a", "nope"]}).body
    assert [row["budget_id"] for row in found] == ["a"]
    settings = call("GET", "/budget/settings", query={"budget_id": "a"}).body
    assert settings[0] == {
        "field_name": "max_budget",
        "field_type": "Float",
        "field_description": "Requests fail once this much was spent (USD).",
        "field_value": 3,
        "stored_in_db": True,
        "field_default_value": None,
    }


def test_a_deleted_row_is_gone() -> None:
    new(budget_id="a", max_budget=3)
    assert call("POST", "/budget/delete", {"id": "a"}).body["budget_id"] == "a"
    assert call("POST", "/budget/info", {"budgets": ["a"]}).body == []
    again = call("POST", "/budget/delete", {"id": "a"})
    assert (again.status, again.body) == (404, {"detail": {"error": "Budget not found, passed budget_id=a"}})


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("/budget/new", {"budget_id": "taken"}, 400, {"error": "Budget with id 'taken' already exists."}),
        ("/budget/update", {"max_budget": 1}, 400, {"error": "budget_id is required"}),
        ("/budget/update", {"budget_id": "no"}, 404, {"error": "Budget not found, passed budget_id=no"}),
        ("/budget/info", {"budgets": []}, 400, {"error": "Specify list of budget id's to query. Passed in=[]"}),
    ],
)
def test_what_is_refused(path: str, body: dict[str, Any], status: int, detail: Any) -> None:
    new(budget_id="taken")
    answer = call("POST", path, body)
    assert (answer.status, answer.body) == (status, {"detail": detail})


def test_a_team_key_has_nothing_to_do_here() -> None:
    build.organization()
    caller = key(build.team()["virtual_key"])
    answer = call("POST", "/budget/new", {"max_budget": 1}, caller=caller)
    assert answer.status == 401
    assert answer.body["error"] == {
        "message": "Authentication Error, Only proxy admin can be used to generate, delete, update info for new "
        "keys/users/teams. Route=/budget/new. Your role=internal_user. Your user_id=None",
        "type": "auth_error",
        "param": "None",
        "code": "401",
    }
