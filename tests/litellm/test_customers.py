"""Customers by LiteLLM's API, and by the native budgets (contract litellm 1.8, Q-25, Q-45, Q-53)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.support import build
from tests.support.api import call, key
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events
from tests.support.profiles import PROFILES, profile
from tests.support.requests import REQUESTS

EMPTY: dict[str, Any] = {
    "blocked": False,
    "alias": None,
    "spend": 0,
    "allowed_model_region": None,
    "default_model": None,
    "models": [],
    "budget_id": None,
    "litellm_budget_table": None,
    "object_permission_id": None,
    "object_permission": None,
}
SURFACES = ["/customer", "/end_user"]


def send(path: str, body: dict[str, Any]) -> Any:
    answer = call("POST", path, body)
    assert answer.status == 200, answer.text
    return answer.body


def new(user_id: str = "c/7", **fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = send("/customer/new", {"user_id": user_id} | fields)
    return row


def info(user_id: str = "c/7") -> dict[str, Any]:
    answer = call("GET", "/customer/info", query={"end_user_id": user_id})
    assert answer.status == 200, answer.text
    row: dict[str, Any] = answer.body
    return row


def e1(message: str, kind: str, param: str | None, status: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": str(status)}}


def budget(row: dict[str, Any]) -> dict[str, Any]:
    """What a row's budget limits."""
    return {name: value for name, value in row["litellm_budget_table"].items() if value not in (None, {})}


def test_a_customer_of_whom_little_is_said() -> None:
    assert new() == EMPTY | {"user_id": "c/7"}
    assert info() == EMPTY | {"user_id": "c/7"}


def test_everything_is_echoed(clock: FakeClock) -> None:
    row = new(
        alias="Seven",
        blocked=True,
        models=["fast", "openai/*"],
        default_model="fast",
        allowed_model_region="eu",
        object_permission={"vector_stores": ["docs"]},
        max_budget=5,
        budget_duration="1d",
        rpm_limit=10,
        model_max_budget={"fast": {"budget_limit": 1, "time_period": "1d"}},
        spend=1.25,
        no_such_field=1,
    )
    table, permission = row.pop("litellm_budget_table"), row.pop("object_permission")
    assert row == {
        "user_id": "c/7",
        "blocked": True,
        "alias": "Seven",
        "spend": 1.25,
        "allowed_model_region": "eu",
        "default_model": "fast",
        "models": ["fast", "openai/*"],
        "budget_id": table["budget_id"],
        "object_permission_id": permission["object_permission_id"],
    }
    assert {name: value for name, value in table.items() if value is not None} == {
        "budget_id": row["budget_id"],
        "max_budget": 5,
        "budget_duration": "1d",
        "rpm_limit": 10,
        "model_max_budget": {"fast": {"budget_limit": 1, "time_period": "1d"}},
        "budget_reset_at": table["budget_reset_at"],
        "created_at": table["created_at"],
        "updated_at": table["updated_at"],
        "created_by": "default_user_id",
        "updated_by": "default_user_id",
    }
    assert permission["vector_stores"] == ["docs"]
    assert info() == row | {"litellm_budget_table": table, "object_permission": permission}


@pytest.mark.parametrize("surface", SURFACES)
def test_both_names_of_the_endpoints(surface: str) -> None:
    body = {"user_id": "c/7", "alias": "Seven"}
    seven = EMPTY | body
    assert send(f"{surface}/new", body) == seven
    assert send(f"{surface}/update", {"user_id": "c/7", "models": ["fast"]}) == seven | {"models": ["fast"]}
    blocked = seven | {"models": ["fast"], "blocked": True}
    assert send(f"{surface}/block", {"user_ids": ["c/7"]}) == {"blocked_users": [blocked]}
    assert call("GET", f"{surface}/info", query={"end_user_id": "c/7"}).body == blocked
    assert call("GET", f"{surface}/list").body == [blocked]
    assert send(f"{surface}/unblock", {"user_ids": ["c/7"]}) == {"blocked_users": []}
    deleted = {"deleted_customers": 1, "message": "Successfully deleted customers with ids: ['c/7']"}
    assert send(f"{surface}/delete", {"user_ids": ["c/7", "c/7"]}) == deleted
    assert call("GET", f"{surface}/list").body == []


def test_absent_keeps_and_null_clears(clock: FakeClock) -> None:
    everything = REQUESTS["LiteLlmNewCustomer"].body or {}
    before = send("/customer/new", everything | {"blocked": True})
    assert send("/customer/update", {"user_id": "end-user-8"}) == before
    cleared = ["alias", "blocked", "models", "default_model", "allowed_model_region", "object_permission"]
    cleared += ["max_budget", "budget_duration"]
    after = send("/customer/update", {"user_id": "end-user-8"} | dict.fromkeys(cleared))
    assert after == EMPTY | {"user_id": "end-user-8"}
    # Nothing is left beside him.
    assert [item["SK"] for item in all_items() if item["PK"] == "CUSTOMER#end-user-8"] == ["#"]


def test_a_shared_budget_takes_the_place_of_limits() -> None:
    build.budget("shared", "starter", max_budget=50)
    new(max_budget=5, rpm_limit=3)
    row = send("/customer/update", {"user_id": "c/7", "budget_id": "starter"})
    assert (row["budget_id"], row["litellm_budget_table"]["max_budget"]) == ("starter", 50)
    assert row["litellm_budget_table"]["rpm_limit"] is None
    assert call("GET", "/api/budgets/shared/starter").body["uses"] == 1
    row = send("/customer/update", {"user_id": "c/7", "budget_id": ""})
    assert (row["budget_id"], row["litellm_budget_table"]) == (None, None)
    assert call("GET", "/api/budgets/shared/starter").body["uses"] == 0
    unknown = call("POST", "/customer/update", {"user_id": "c/7", "budget_id": "none"})
    message = "{'error': \"Unknown budget 'none'\"}"
    assert (unknown.status, unknown.body) == (400, e1(message, "internal_server_error", "budget_id", 400))


def test_one_budget_or_the_other() -> None:
    build.budget("shared", "starter", max_budget=50)
    new("known")
    for path, user_id in (("/customer/new", "c/7"), ("/customer/update", "known")):
        answer = call("POST", path, {"user_id": user_id, "budget_id": "starter", "max_budget": 1})
        message = "Value error, Set either 'max_budget' or 'budget_id', not both."
        assert answer.status == 422
        assert answer.body == {"detail": [{"type": "value_error", "loc": ["body"], "msg": message}]}


def test_the_native_budget_is_the_same_one() -> None:
    new(alias="Seven", max_budget=5)
    build.budget("customer", "c%2F7", rpm_limit=9)
    assert budget(info()).items() >= {"max_budget": 5, "rpm_limit": 9}.items()
    assert call("GET", "/api/budgets/customer/c%2F7").body["max_budget"] == 5
    # Limits go; what else is said of him stays.
    assert call("DELETE", "/api/budgets/customer/c%2F7").status == 200
    assert info() == EMPTY | {"user_id": "c/7", "alias": "Seven"}
    build.budget("customer", "native", max_budget=2)
    assert budget(info("native"))["max_budget"] == 2
    assert call("DELETE", "/api/budgets/customer/native").status == 200
    assert call("GET", "/customer/info", query={"end_user_id": "native"}).status == 404


def test_spend_is_an_adjustment() -> None:
    new(max_budget=5)
    assert send("/customer/update", {"user_id": "c/7", "spend": 2.5})["spend"] == 2.5
    assert call("GET", "/api/budgets/customer/c%2F7").body["spend"] == 2.5
    events = [event["action"] for event in audit_events()]
    assert events[-2:] == ["customer.updated", "budget.adjusted"]
    new("free")
    refused = call("POST", "/customer/update", {"user_id": "free", "spend": 1})
    assert refused.status == 409
    assert refused.body["error"]["message"] == "{'error': 'Without a max_budget there is nothing to adjust'}"


def test_blocks_are_listed_and_make_unknown_customers() -> None:
    new("a")
    answer = send("/customer/block", {"user_ids": ["a", "b", "c"]})
    assert answer == {"blocked_users": [EMPTY | {"user_id": name, "blocked": True} for name in "abc"]}
    assert send("/customer/block", {"user_ids": ["a"]})["blocked_users"][0]["blocked"] is True
    assert sorted(send("/customer/unblock", {"user_ids": ["b", "nobody"]})["blocked_users"]) == ["a", "c"]
    assert info("b") == EMPTY | {"user_id": "b"}
    assert call("GET", "/customer/info", query={"end_user_id": "nobody"}).status == 404
    send("/customer/update", {"user_id": "a", "blocked": False})
    assert send("/customer/unblock", {"user_ids": ["x"]}) == {"blocked_users": ["c"]}


def test_a_deleted_customer_leaves_nothing() -> None:
    build.budget("shared", "starter", max_budget=50)
    new("a", budget_id="starter", blocked=True, object_permission={"agents": ["x"]}, spend=3)
    new("b", max_budget=5, spend=3)
    known = [item for item in all_items() if item["kind"] == "customer"]
    missing = call("POST", "/customer/delete", {"user_ids": ["a", "nobody"]})
    message = "End User Id=nobody does not exist in db"
    assert (missing.status, missing.body) == (404, e1(message, "not_found", "user_ids", 404))
    assert info("a")["spend"] == 3
    send("/customer/delete", {"user_ids": ["a", "b"]})
    owners = {f"ACCOUNT#{item['uid']}" for item in known}
    assert [item for item in all_items() if item["PK"].startswith("CUSTOMER#") or item["PK"] in owners] == []
    assert call("GET", "/api/budgets/shared/starter").body["uses"] == 0
    assert new("b", max_budget=5)["spend"] == 0


def test_what_is_audited() -> None:
    new(alias="Seven", max_budget=5)
    send("/customer/update", {"user_id": "c/7", "models": ["fast"], "max_budget": None})
    send("/customer/block", {"user_ids": ["c/7"]})
    send("/customer/unblock", {"user_ids": ["c/7"]})
    send("/customer/delete", {"user_ids": ["c/7"]})
    events = [event for event in audit_events() if event["resource_type"] == "customer"]
    assert {event["resource_id"] for event in events} == {"c/7"}
    told = [
        (event["action"], json.loads(event.get("before", "{}")), json.loads(event.get("after", "{}")))
        for event in events
    ]
    assert told == [
        ("customer.created", {}, {"alias": "Seven", "max_budget": 5}),
        ("customer.updated", {"models": None, "max_budget": 5}, {"models": ["fast"], "max_budget": None}),
        ("customer.blocked", {"blocked": False}, {"blocked": True}),
        ("customer.unblocked", {"blocked": True}, {"blocked": False}),
        ("customer.deleted", {"alias": "Seven"}, {}),
    ]


def test_the_list_is_newest_first(clock: FakeClock) -> None:
    for name in ("a", "b", "c"):
        new(name, max_budget=1)
        clock.advance(seconds=1)
    rows = call("GET", "/customer/list").body
    assert rows == [info(name) for name in ("c", "b", "a")]


@pytest.mark.parametrize("compat", PROFILES)
def test_what_is_refused_in_both_profiles(compat: str) -> None:
    new("known")
    taken = "Customer already exists, passed user_id=known. Please pass a new user_id."
    missing = "End User Id=no does not exist in db"
    with profile(compat):
        answer = call("POST", "/customer/new", {"user_id": "known"})
        assert (answer.status, answer.body) == (400, e1(taken, "bad_request", "user_id", 400))
        for answer, param in (
            (call("POST", "/customer/update", {"user_id": "no"}), "user_id"),
            (call("POST", "/customer/delete", {"user_ids": ["no"]}), "user_ids"),
            (call("GET", "/customer/info", query={"end_user_id": "no"}), "end_user_id"),
        ):
            assert (answer.status, answer.body) == (404, e1(missing, "not_found", param, 404))


@pytest.mark.parametrize(
    ("path", "body", "loc", "kind"),
    [
        ("/customer/new", {}, ["body", "user_id"], "missing"),
        ("/customer/new", {"user_id": ""}, ["body", "user_id"], "string_too_short"),
        ("/customer/new", {"user_id": "a", "allowed_model_region": "mars"}, ["body", "allowed_model_region"], "literal_error"),
        ("/customer/block", {"user_ids": []}, ["body", "user_ids"], "too_short"),
        ("/customer/block", {"user_ids": ["a"] * 501}, ["body", "user_ids"], "too_long"),
    ],
)  # fmt: skip
def test_wrong_fields_are_named(path: str, body: dict[str, Any], loc: list[str], kind: str) -> None:
    answer = call("POST", path, body)
    (entry,) = answer.body["detail"]
    assert (answer.status, entry["loc"], entry["type"]) == (422, loc, kind)


def test_an_id_that_no_key_can_hold() -> None:
    """Of four bytes each; percent-encoded it is longer than a sort key."""
    long = "\N{GRINNING FACE}" * 256
    message = "{'error': 'The id of a customer is too long in its percent-encoded form'}"
    expected = e1(message, "internal_server_error", "user_id", 400)
    answer = call("POST", "/customer/new", {"user_id": long})
    assert (answer.status, answer.body) == (400, expected)
    blocked = call("POST", "/customer/block", {"user_ids": [long]})
    assert (blocked.status, blocked.body["detail"]) == (400, {"error": message[11:-2]})
    assert call("PUT", "/api/budgets/customer/" + quote(long), {"rpm_limit": 1}).status == 422
    assert call("GET", "/customer/info", query={"end_user_id": long}).status == 404
    assert call("GET", "/customer/list").body == []


def test_customers_are_the_platforms() -> None:
    """Only its administrators write, its viewers read; everybody else may not even list (contract 2.2)."""
    build.organization()
    build.user("boss")
    build.member("organization-member", "org_acme", "boss", role="org_owner")
    build.user("viewer", role="platform_viewer")
    callers = {}
    for user_id, fields in (("boss", {"organization_id": "org_acme"}), ("viewer", {})):
        made = call("POST", "/key/generate", {"user_id": user_id} | fields)
        callers[user_id] = key(made.body["key"])
    callers["team"] = key(build.team()["virtual_key"])
    new("known")
    for name in ("NewCustomer", "UpdateCustomer", "DeleteCustomers", "BlockCustomers", "UnblockCustomers"):
        path = {"NewCustomer": "new", "UpdateCustomer": "update"}.get(name, name.partition("Customers")[0].lower())
        for caller, status in (("boss", 401), ("team", 401), ("viewer", 403)):
            body = REQUESTS[f"LiteLlm{name}"].body
            answer = call("POST", f"/customer/{path}", body, caller=callers[caller])
            assert (answer.status, answer.body["error"]["type"]) == (status, "auth_error"), (name, caller)
    for caller, status in (("boss", 401), ("team", 401), ("viewer", 200)):
        assert call("GET", "/customer/list", caller=callers[caller]).status == status
        assert call("GET", "/customer/info", query={"end_user_id": "known"}, caller=callers[caller]).status == status
    assert call("GET", "/customer/list").body == [EMPTY | {"user_id": "known"}]
