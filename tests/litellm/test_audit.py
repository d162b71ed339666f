"""The audit log by LiteLLM's API (contract litellm 5, Q-38)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.litellm.test_keys import generate
from tests.support import build
from tests.support.api import call, key
from tests.support.items import put_raw, raw_items
from tollgate.core import ids

MASTER = {"changed_by": "default_user_id", "changed_by_api_key": None}
_snapshot: dict[str, Any] = {}


def audit(**query: Any) -> Any:
    answer = call("GET", "/audit", query=query)
    assert answer.status == 200, answer.text
    return answer.body


def told(**query: Any) -> list[str]:
    """What the events of a query are about, shortly."""
    body = audit(**{"page_size": 100} | query)
    rows = body["audit_logs"]
    assert body["total"] == len(rows)
    return [f"{row['action']} {row['table_name'].removeprefix('LiteLLM_')} {row['object_id']}" for row in rows]


@pytest.fixture
def history(noon: None) -> dict[str, Any]:
    """An organization with a team, a member who makes a key for himself, and what was done with them; in this order."""
    if _snapshot:
        put_raw(_snapshot["items"])
    else:
        _snapshot.update(made=_history(), items=raw_items())
    made: dict[str, Any] = _snapshot["made"]
    return made


def _history() -> dict[str, Any]:
    build.organization()
    call("POST", "/team/new", {"team_id": "Team/A", "organization_id": "org_acme"})
    build.user("ana")
    build.member("organization-member", "org_acme", "ana")
    build.member("team-member", "Team/A", "ana", role="team_admin")
    own = generate(user_id="ana", key_alias="own")
    service = call("POST", "/key/generate", {"team_id": "Team/A"}, caller=key(own["key"])).body
    call("POST", "/key/block", {"key": service["token"]})
    call("POST", "/key/unblock", {"key": service["token"]})
    new = call("POST", "/key/regenerate", {"key": service["token"]}).body
    call("POST", "/key/delete", {"keys": [new["token"]]})
    call("POST", "/budget/new", {"budget_id": "starter", "max_budget": 5})
    build.alias("fast")
    build.webhook(team_id="Team/A")
    return {"own": own, "service": service["token"], "new": new["token"]}


def test_every_change_has_a_row(history: dict[str, Any]) -> None:
    own, service, new = history["own"]["token"], history["service"], history["new"]
    lines = told(sort_order="asc")
    webhook = lines.pop()
    assert webhook.startswith("created Tollgate_WebhookTable ")
    assert lines == [
        "created OrganizationTable org_acme",
        "created TeamTable Team/A",
        "created UserTable ana",
        "created OrganizationMembership org_acme~ana",
        "created TeamMembership Team%2FA~ana",
        f"created VerificationToken {own}",
        f"created VerificationToken {service}",
        f"blocked VerificationToken {service}",
        f"unblocked VerificationToken {service}",
        f"rotated VerificationToken {service}",
        f"deleted VerificationToken {new}",
        "created BudgetTable starter",
        "created ProxyModelTable fast",
    ]
    assert told() == [webhook, *reversed(lines)]


def test_a_row_in_full(history: dict[str, Any]) -> None:
    (row,) = audit(object_id=history["service"], action="blocked")["audit_logs"]
    audit_id, updated_at = row.pop("id"), row.pop("updated_at")
    assert row == MASTER | {
        "action": "blocked",
        "table_name": "LiteLLM_VerificationToken",
        "object_id": history["service"],
        "before_value": {"blocked": False},
        "updated_values": {"blocked": True},
    }
    assert call("GET", f"/audit/{audit_id}").body == row | {"id": audit_id, "updated_at": updated_at}
    assert updated_at.endswith("+00:00")


def test_pages(history: dict[str, Any]) -> None:
    whole = audit(page_size=100)["audit_logs"]
    assert len(whole) == 14
    for number, expected in ((1, whole[:5]), (2, whole[5:10]), (3, whole[10:]), (4, [])):
        body = audit(page=number, page_size=5)
        assert body == {"audit_logs": expected, "total": 14, "page": number, "page_size": 5, "total_pages": 3}
    filtered = audit(page=2, page_size=2, table_name="LiteLLM_VerificationToken")
    assert (filtered["total"], filtered["total_pages"], len(filtered["audit_logs"])) == (6, 3, 2)


def test_filters(history: dict[str, Any]) -> None:
    own, service = history["own"], history["service"]
    assert told(changed_by="ana") == told(changed_by_api_key=own["token"]) == told(changed_by_api_key=own["key"])
    assert told(changed_by="ana") == [f"created VerificationToken {service}"]
    assert told(object_key_hash=own["key"]) == [f"created VerificationToken {own['token']}"]
    assert told(table_name="LiteLLM_OrganizationTable") == ["created OrganizationTable org_acme"]
    assert told(search="ACME", action="created", sort_order="asc") == [
        "created OrganizationTable org_acme",
        "created OrganizationMembership org_acme~ana",
    ]
    of_team = [line.split(" ")[1] for line in told(object_team_id="Team/A", sort_order="asc")]
    assert of_team[:3] == ["TeamTable", "TeamMembership", "VerificationToken"]
    assert told(object_id="nope") == []


def test_days(history: dict[str, Any]) -> None:
    """Both included."""
    today = audit()["audit_logs"][0]["updated_at"][:10]
    assert len(told(start_date=today, end_date=today)) == 14
    assert told(end_date="2020-01-01") == told(start_date="2199-01-01") == []
    assert told(start_date="2020-01-02", end_date="2020-01-01") == []


@pytest.mark.parametrize("audit_id", ["01M81ATGZX3VX1P5BW097BCB5F", "nope", "~"])
def test_an_unknown_event(audit_id: str) -> None:
    answer = call("GET", f"/audit/{audit_id}")
    message = f"Audit log with ID {audit_id} not found"
    assert (answer.status, answer.body) == (404, {"detail": {"message": message}})


def test_it_is_the_platforms(history: dict[str, Any]) -> None:
    vera = build.admin_user()
    caller = key(generate(user_id=vera["user_id"])["key"])
    assert call("GET", "/audit", caller=caller).status == 200
    for path in ("/audit", f"/audit/{ids.new_ulid()}"):
        refused = call("GET", path, caller=key(history["own"]["key"]))
        assert (refused.status, refused.body["error"]["type"]) == (401, "auth_error")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"page": 0}, "page"),
        ({"page_size": 101}, "page_size"),
        ({"action": "kill_switch_fired"}, "action"),
        ({"sort_by": "id"}, "sort_by"),
        ({"start_date": "today"}, "start_date"),
    ],
)
def test_a_query_out_of_bounds(query: dict[str, Any], name: str) -> None:
    answer = call("GET", "/audit", query=query)
    (entry,) = answer.body["detail"]
    assert (answer.status, entry["loc"]) == (422, ["query", name])
