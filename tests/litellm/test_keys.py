"""Keys by LiteLLM's API: made, changed, looked at, ended (contract litellm 1.6, Q-05)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.support import build
from tests.support.api import Answer, call, key
from tests.support.clock import FakeClock
from tests.support.items import raw_items
from tollgate.auth.credentials import key_id_of

MASTER_ID = "default_user_id"
ROW = {
    "key_alias": None,
    "soft_budget_cooldown": False,
    "spend": 0,
    "expires": None,
    "models": [],
    "aliases": {},
    "config": {},
    "user_id": None,
    "team_id": None,
    "organization_id": None,
    "permissions": {},
    "max_parallel_requests": None,
    "metadata": {},
    "tags": [],
    "blocked": False,
    "tpm_limit": None,
    "rpm_limit": None,
    "tpd_limit": None,
    "model_rpm_limit": None,
    "model_tpm_limit": None,
    "max_budget": None,
    "soft_budget": None,
    "budget_duration": None,
    "budget_reset_at": None,
    "temp_budget_increase": None,
    "temp_budget_expiry": None,
    "allowed_cache_controls": [],
    "allowed_routes": [],
    "key_type": "default",
    "guardrails": None,
    "prompts": None,
    "enforced_params": None,
    "model_spend": {},
    "model_max_budget": {},
    "budget_id": None,
    "object_permission_id": None,
    "object_permission": None,
    "status": "active",
    "created_by": MASTER_ID,
    "updated_by": MASTER_ID,
    "litellm_budget_table": None,
}
SENT = {
    "key_alias": "ci",
    "models": ["gpt-4", "claude-*"],
    "aliases": {"cheap": "gpt-4o-mini"},
    "metadata": {"service": "billing"},
    "tags": ["batch"],
    "permissions": {"get_spend_routes": True},
    "config": {"a": 1},
    "allowed_cache_controls": ["no-store"],
    "guardrails": ["pii"],
    "max_budget": 25,
    "soft_budget": 20,
    "budget_duration": "30d",
    "rpm_limit": 60,
    "tpm_limit": 1000,
    "max_parallel_requests": 3,
    "model_rpm_limit": {"gpt-4": 5},
    "model_max_budget": {"gpt-4": {"budget_limit": 0.5, "time_period": "1d"}},
}


def generate(caller: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    answer = generated(caller, **fields)
    assert answer.status == 200, answer.text
    row: dict[str, Any] = answer.body
    return row


def generated(caller: dict[str, str] | None = None, **fields: Any) -> Answer:
    return call("POST", "/key/generate", fields, **({"caller": caller} if caller is not None else {}))


def update(name: str, caller: dict[str, str] | None = None, **fields: Any) -> Answer:
    body = {"key": name} | fields
    return call("POST", "/key/update", body, **({"caller": caller} if caller is not None else {}))


def info(name: str) -> dict[str, Any]:
    answer = call("GET", "/key/info", query={"key": name})
    assert answer.status == 200, answer.text
    row: dict[str, Any] = answer.body["info"]
    return row


def plain(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """Without its times, which have to be ones that clients can parse, and without what is new each time."""
    for name in ("created_at", "updated_at"):
        assert datetime.fromisoformat(row[name]).utcoffset() is not None
    return {name: value for name, value in row.items() if name not in {"created_at", "updated_at", *names}}


def e1(message: str, kind: str, param: str | None, status: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": str(status)}}


def test_a_key_of_nobody() -> None:
    """An empty body is enough (Q-03); the key is shown here and never again."""
    row = generate()
    string = row["key"]
    key_id = key_id_of(string)
    shown = ROW | {"key_name": f"sk-...{string[-4:]}"}
    assert plain(row) == shown | {"key": string, "token": key_id, "token_id": key_id}
    for name in (string, key_id):
        answer = call("GET", "/key/info", query={"key": name})
        assert answer.body["key"] == name
        assert plain(answer.body["info"]) == shown
    assert string not in str(raw_items())


def test_what_was_sent_is_shown() -> None:
    row = generate(**SENT)
    shown = (
        ROW
        | SENT
        | {
            "key_name": row["key_name"],
            "budget_reset_at": row["budget_reset_at"],
            "metadata": {"service": "billing", "model_rpm_limit": {"gpt-4": 5}},
            "model_spend": {"gpt-4": 0},
        }
    )
    assert datetime.fromisoformat(row["budget_reset_at"]).day == 1
    assert plain(row, "key", "token", "token_id") == shown
    assert plain(info(row["token"])) == shown


def test_an_own_string_a_type_and_a_duration(clock: FakeClock) -> None:
    row = generate(key="sk-my-own-key-0001", key_type="llm_api", duration="30d")
    assert (row["key"], row["token"]) == ("sk-my-own-key-0001", key_id_of("sk-my-own-key-0001"))
    assert (row["allowed_routes"], row["key_type"]) == (["llm_api_routes"], "llm_api")
    assert datetime.fromisoformat(row["expires"]).timestamp() == clock().timestamp() + 30 * 86_400


def test_an_expired_key_comes_in_no_more(clock: FakeClock) -> None:
    row = generate(duration="1h")
    clock.advance(hours=2)
    refused = call("GET", "/key/info", caller=key(row["key"]))
    message = (
        "Authentication Error - Expired Key. Key Expiry time 2026-03-01 13:00:00+00:00 "
        "and current time 2026-03-01 14:00:00+00:00"
    )
    assert (refused.status, refused.body) == (401, e1(message, "expired_key", "None", 401))
    assert info(row["token"])["status"] == "expired"
    assert update(row["token"], duration="1h").body["status"] == "active"
    assert call("GET", "/key/info", caller=key(row["key"])).status == 200


def test_owners(clock: FakeClock) -> None:
    """A team implies its organization; a user whom nobody has made is taken as he is called."""
    build.organization()
    build.team()
    build.user("ana")
    row = generate(team_id="acme-dev", user_id="ana")
    assert [row[name] for name in ("team_id", "user_id", "organization_id")] == ["acme-dev", "ana", "org_acme"]
    assert generate(organization_id="org_acme")["organization_id"] == "org_acme"
    unmade = generate(user_id="nobody yet")
    assert unmade["user_id"] == "nobody yet"
    assert call("GET", "/key/info", caller=key(unmade["key"])).status == 200


def test_null_clears_absent_keeps_and_an_empty_id_detaches() -> None:
    build.organization()
    build.team()
    row = generate(**SENT, team_id="acme-dev", duration="1h")
    cleared = update(row["key"], max_budget=None, duration="-1", team_id="", models=[], metadata={}, aliases=None)
    assert cleared.status == 200, cleared.text
    changed = {
        "key": row["key"],
        "max_budget": None,
        "expires": None,
        "team_id": None,
        "models": [],
        "aliases": {},
        "metadata": {"model_rpm_limit": {"gpt-4": 5}},
    }
    same = {name: value for name, value in row.items() if name not in {"token", "token_id"}}
    assert plain(cleared.body) == plain(same | changed)
    unchanged = update(row["token"], key_alias="ci").body
    assert plain(unchanged) == plain(same | changed | {"key": row["token"]})


def test_a_key_moves_between_teams() -> None:
    build.organization()
    build.organization("org_other")
    build.team()
    build.team("other-dev", "org_other")
    row = generate(team_id="acme-dev")
    moved = update(row["token"], team_id="other-dev").body
    assert (moved["team_id"], moved["organization_id"]) == ("other-dev", "org_other")
    for team_id, organization_id, found in (("acme-dev", "org_acme", []), ("other-dev", "org_other", [row["token"]])):
        assert call("GET", "/key/list", query={"team_id": team_id, "key_hash": row["token"]}).body["keys"] in (
            found,
            [row["token"]],
        )
        listed = call("GET", "/key/list", query={"organization_id": organization_id, "size": 100}).body["keys"]
        assert [name for name in listed if name == row["token"]] == found


def test_a_key_may_be_named_by_its_alias() -> None:
    row = generate(key_alias="ci")
    answer = call("POST", "/key/update", {"key_alias": "ci", "rpm_limit": 7})
    assert (answer.body["key"], answer.body["rpm_limit"], answer.body["key_alias"]) == (row["token"], 7, "ci")
    assert call("POST", "/key/delete", {"keys": None, "key_aliases": ["ci", "nope"]}).body == {"deleted_keys": ["ci"]}
    # It is free again.
    assert generate(key_alias="ci")["key_alias"] == "ci"


def test_an_alias_is_taken_once() -> None:
    generate(key_alias="ci")
    other = generate(key_alias="cd")
    message = "Key with alias 'ci' already exists. Unique key aliases across all keys are required."
    taken = e1(message, "bad_request_error", "key_alias", 400)
    assert generated(key_alias="ci").body == taken
    assert update(other["token"], key_alias="ci").body == taken
    assert update(other["token"], key_alias=None).status == 200
    assert generate(key_alias="cd")["key_alias"] == "cd"


def test_a_deleted_key_is_gone() -> None:
    row = generate(key_alias="ci")
    assert call("POST", "/key/delete", {"keys": [row["key"]]}).body == {"deleted_keys": [row["key"]]}
    missing = call("GET", "/key/info", query={"key": row["token"]})
    assert (missing.status, missing.body) == (404, e1("Key not found in database", "not_found_error", "key", 404))
    again = call("POST", "/key/delete", {"keys": [row["token"]]})
    assert (again.status, again.body) == (404, e1("{'error': 'No keys found'}", "internal_server_error", None, 404))
    assert call("GET", "/key/list", query={"status": "deleted"}).body["keys"] == [row["token"]]
    refused = call("GET", "/key/info", caller=key(row["key"]))
    assert (refused.status, refused.body["error"]["type"]) == (401, "auth_error")


def test_blocked_and_unblocked() -> None:
    row = generate()
    blocked = call("POST", "/key/block", {"key": row["key"]})
    assert plain(blocked.body) == plain(
        {name: value for name, value in row.items() if name not in {"key", "token", "token_id"}}
        | {"blocked": True, "status": "revoked"}
    )
    refused = call("GET", "/key/info", caller=key(row["key"]))
    message = "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin."
    assert (refused.status, refused.body) == (401, e1(message, "auth_error", "None", 401))
    assert call("POST", "/key/unblock", {"key": row["token"]}).body["blocked"] is False
    assert call("GET", "/key/info", caller=key(row["key"])).status == 200


def test_another_string_for_the_same_key() -> None:
    build.organization()
    build.team()
    row = generate(**SENT, team_id="acme-dev")
    answer = call("POST", f"/key/{row['token']}/regenerate", {"rpm_limit": 5})
    new = answer.body
    assert new["key"] != row["key"]
    own = ("key", "token", "token_id", "key_name")
    assert plain(new, *own) == plain(row | {"rpm_limit": 5}, *own)
    assert call("GET", "/key/info", query={"key": row["token"]}).status == 404
    assert call("GET", "/key/list", query={"team_id": "acme-dev", "key_alias": "ci"}).body["keys"] == [new["token"]]
    by_itself = call("POST", "/key/regenerate", {"new_key": "sk-my-own-key-0002"}, caller=key(new["key"]))
    assert by_itself.status == 401  # A team's own key looks on.
    assert call("POST", "/key/regenerate", {"key": new["key"], "new_key": "sk-my-own-key-0002"}).body["token"] == (
        key_id_of("sk-my-own-key-0002")
    )


def test_a_teams_primary_key_stays_its_primary_key() -> None:
    build.organization()
    old = build.team()["virtual_key"]
    new = call("POST", "/key/regenerate", {"key": old}).body
    assert build.team_details()["key_id"] == new["token"]
    moved = update(new["token"], team_id="")
    assert moved.status == 400


def test_spend_is_set_and_reset() -> None:
    """Only where a budget counts it (Q-45); usage never changes."""
    row = generate(max_budget=10, spend=4)
    assert info(row["token"])["spend"] == 4
    assert update(row["token"], spend=3).status == 200
    answer = call("POST", f"/key/{row['token']}/reset_spend", {"reset_to": 1})
    assert answer.body == {
        "key_hash": row["token"],
        "spend": 1,
        "previous_spend": 3,
        "max_budget": 10,
        "budget_reset_at": None,
    }
    more = call("POST", f"/key/{row['token']}/reset_spend", {"reset_to": 2})
    assert (more.status, list(more.body)) == (400, ["detail"])


def test_many_at_once() -> None:
    row = generate()
    entries = [{"key": row["key"], "max_budget": 5}, {"key": "0" * 64, "max_budget": 5}]
    answer = call("POST", "/key/bulk_update", {"keys": entries}).body
    assert answer["total_requested"] == 2
    (done,), (failed,) = answer["successful_updates"], answer["failed_updates"]
    assert (done["key"], done["key_info"]["max_budget"]) == (row["key"], 5)
    assert failed == {"key": "0" * 64, "key_info": None, "failed_reason": "Key not found."}


def test_a_service_account() -> None:
    build.organization()
    build.team()
    body = {"team_id": "acme-dev", "key_alias": "nightly", "user_id": "ana"}
    row = call("POST", "/key/service-account/generate", body).body
    assert (row["user_id"], row["metadata"]) == (None, {"service_account_id": "nightly"})


def test_several_keys_and_health() -> None:
    one, two = generate(key_alias="one"), generate(key_alias="two")
    body = {"keys": [one["key"], "0" * 64], "key_aliases": ["two"]}
    answer = call("POST", "/v2/key/info", body).body
    assert answer["key"] == [one["token"], two["token"]]
    assert [row["key_alias"] for row in answer["info"]] == ["one", "two"]
    assert call("POST", "/key/health", caller=key(one["key"])).body == {"key": "healthy", "logging_callbacks": None}


def test_a_shared_budget_is_shown() -> None:
    build.budget("shared", "starter", max_budget=50)
    row = generate(budget_id="starter")
    assert (row["budget_id"], row["litellm_budget_table"]["max_budget"], row["max_budget"]) == ("starter", 50, None)


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        (
            "/key/generate",
            {"team_id": "nope"},
            400,
            e1("{'error': 'Team not found, passed team_id=nope'}", "internal_server_error", "team_id", 400),
        ),
        (
            "/key/generate",
            {"key": "sk-short"},
            400,
            e1(
                "{'error': \"Invalid key. A custom key has to start with 'sk-' and have at least 16 characters.\"}",
                "internal_server_error",
                "key",
                400,
            ),
        ),
        ("/key/update", {"key": "0" * 64}, 404, e1("Key not found.", "not_found_error", "key", 404)),
        (
            "/key/regenerate",
            {"key": "sk-0000000000001234"},
            404,
            e1("Key sk-...1234 not found.", "not_found_error", "key", 404),
        ),
        ("/key/block", {"key": "nonsense"}, 400, {"detail": {"error": "Invalid key format."}}),
        ("/key/block", {"key": "0" * 64}, 404, {"detail": {"error": f"Key not found. Passed key={'0' * 64}"}}),
        (
            "/key/service-account/generate",
            {},
            400,
            e1("{'error': 'team_id is required for service account keys.'}", "internal_server_error", "team_id", 400),
        ),
    ],
)
def test_what_is_refused(path: str, body: dict[str, Any], status: int, error: dict[str, Any]) -> None:
    answer = call("POST", path, body)
    assert (answer.status, answer.body) == (status, error)


@pytest.mark.parametrize("duration", ["soon", "0d", "5y", "36501d", "999999999mo"])
def test_a_duration_that_is_none(duration: str) -> None:
    answer = generated(duration=duration)
    assert (answer.status, answer.body["error"]["param"]) == (400, "duration")


def test_a_key_is_shown_once_also_where_it_is_asked_for_twice() -> None:
    """Under an Idempotency-Key (Q-37) nothing is kept that opens anything."""
    headers = {"Idempotency-Key": "a"}
    first, again = (call("POST", "/key/generate", {"key_alias": "ci"}, headers=headers).body for _ in range(2))
    assert again == first | {"key": f"sk-...{first['key'][-4:]}"}
    call("POST", "/key/delete", {"keys": [first["key"]]}, headers=headers)
    assert first["key"] not in str(raw_items())
