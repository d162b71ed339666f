"""Spend logs by LiteLLM's API: calls as rows, whose they are, and what they sum up to (contract litellm 1.9)."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.litellm.test_keys import e1, generate
from tests.support import build, calls
from tests.support.api import Answer, call, key
from tests.support.calls import NOON
from tests.support.items import put_raw, raw_items
from tollgate.core import clock, ids
from tollgate.litellm import spend_logs
from tollgate.usage import calls as finding

MARCH = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
MEMBERS = {"user_api_key_end_user_id": "c-1", "status": "success", "outcome": "success", "detail": None}
MEMBERS |= {"error_message": None, "estimated": False, "streamed": False, "cached_tokens": 3, "reasoning_tokens": 0}
MEMBERS |= {"job_id": None, "purpose": None, "call_metadata": None}


def logs(caller: dict[str, str] | None = None, path: str = "/spend/logs", **query: Any) -> Answer:
    return call("GET", path, query=query, **({"caller": caller} if caller is not None else {}))


def shown(caller: dict[str, str] | None = None, path: str = "/spend/logs", **query: Any) -> Any:
    answer = logs(caller, path, **query)
    assert answer.status == 200, answer.text
    return answer.body


def uid_of(kind: str, name: str) -> str:
    (uid,) = [item["uid"]["S"] for item in raw_items() if item["kind"]["S"] == kind and item[f"{kind}_id"]["S"] == name]
    return uid


def of_team(team_id: str = "acme-dev", organization_id: str = "org_acme", **fields: Any) -> calls.Item:
    """A call of the team, as the data plane records it."""
    owners = {"team_id": team_id, "team_uid": uid_of("team", team_id), "organization_id": organization_id}
    owners["organization_uid"] = uid_of("organization", organization_id)
    return calls.record(fields.pop("at", NOON), **owners | fields)


def id_of(record: calls.Item) -> str:
    return f"chatcmpl-{record['call_id']['S']}"


def ids_of(rows: list[dict[str, Any]]) -> list[str]:
    return [row["request_id"] for row in rows]


_snapshot: dict[str, Any] = {}


@pytest.fixture
def tenants(noon: None) -> dict[str, dict[str, Any]]:
    """Two tenants; keys of a member of the first's team, of its admin, of its organization's admin, of nobody."""
    if _snapshot:
        put_raw(_snapshot["items"])
    else:
        _snapshot.update(made=_tenants(), items=raw_items())
    made: dict[str, dict[str, Any]] = _snapshot["made"]
    return made


def _tenants() -> dict[str, dict[str, Any]]:
    for organization_id, team_id in (("org_acme", "acme-dev"), ("org_other", "other-dev")):
        build.organization(organization_id)
        build.team(team_id, organization_id, team_alias=f"Name of {team_id}")
    for user_id in ("ana", "tess", "olga"):
        build.user(user_id)
    build.member("team-member", "acme-dev", "ana")
    build.member("team-member", "acme-dev", "tess", role="team_admin")
    build.member("organization-member", "org_acme", "olga", role="org_admin")
    made = {user_id: generate(user_id=user_id, key_alias=user_id) for user_id in ("ana", "tess", "olga")}
    made["team"] = generate(team_id="acme-dev", key_alias="service")
    made["foreign"] = generate(team_id="other-dev", key_alias="foreign")
    return made


def test_a_row_has_everything_that_is_recorded(tenants: dict[str, dict[str, Any]]) -> None:
    hashed = tenants["team"]["token"]
    record = of_team(
        key_id=hashed,
        user_id="ana",
        customer_id="c-1",
        tags=["batch", "night"],
        model_used="gpt-4o-mini",
        target_id="01TARGET",
        cached_tokens=3,
        first_token_ms=40,
        cost_usd=Decimal("0.25"),
    )
    calls.put([record])
    rows = shown(request_id=id_of(record))
    assert rows == [
        {
            "request_id": id_of(record),
            "call_type": "acompletion",
            "api_key": hashed,
            "spend": 0.25,
            "total_tokens": 15,
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "startTime": "2026-03-01T12:00:00.000000+00:00",
            "endTime": "2026-03-01T12:00:00.200000+00:00",
            "completionStartTime": "2026-03-01T12:00:00.040000+00:00",
            "model": "gpt-4o-mini",
            "model_id": "01TARGET",
            "model_group": "fast",
            "custom_llm_provider": "openai",
            "api_base": None,
            "user": "ana",
            "metadata": {
                "user_api_key": hashed,
                "user_api_key_alias": "service",
                "user_api_key_user_id": "ana",
                "user_api_key_team_id": "acme-dev",
                "user_api_key_team_alias": "Name of acme-dev",
                "user_api_key_org_id": "org_acme",
                **MEMBERS,
            },
            "cache_hit": "False",
            "cache_key": None,
            "request_tags": ["batch", "night"],
            "team_id": "acme-dev",
            "organization_id": "org_acme",
            "end_user": "c-1",
            "requester_ip_address": None,
            "session_id": None,
            "status": "success",
        }
    ]
    assert shown(request_id=record["call_id"]["S"]) == rows
    assert [shown(request_id=text) for text in ("nope", "chatcmpl-nope", ids.new_call_id())] == [[], [], []]


def test_only_the_platform_sees_the_providers_name_of_a_model(tenants: dict[str, dict[str, Any]]) -> None:
    record = of_team(key_id=tenants["team"]["token"], model_used="gpt-4o-mini")
    calls.put([record])
    (row,) = shown(key(tenants["tess"]["key"]), request_id=id_of(record))
    assert (row["model"], row["model_group"]) == ("fast", "fast")


def test_lists_are_newest_first_whoever_the_owner(tenants: dict[str, dict[str, Any]]) -> None:
    records = [
        of_team(at=NOON + timedelta(hours=number), key_id=tenants["team"]["token"], user_id="ana") for number in (3, 1)
    ]
    records += [
        of_team("other-dev", "org_other", at=NOON + timedelta(hours=2), user_id="ana"),
        calls.record(NOON + timedelta(days=2)),
        of_team(at=NOON + timedelta(days=1), key_id=tenants["team"]["token"], outcome="failed"),
    ]
    calls.counted(records)
    a, b, other, masters, failed = map(id_of, records)
    plain = MARCH | {"summarize": "false"}
    assert ids_of(shown(**plain)) == [masters, failed, a, other, b]
    assert ids_of(shown(**plain, user_id="ana")) == [a, other, b]
    assert ids_of(shown(**plain, api_key=tenants["team"]["token"])) == [failed, a, b]
    assert ids_of(shown(**plain, api_key=tenants["team"]["key"], user_id="ana")) == [a, b]
    assert shown(**plain, api_key=tenants["team"]["key"], user_id="tess") == []
    assert shown(summarize="false", start_date="2026-03-04", end_date="2026-03-05") == []
    assert [row["status"] for row in shown(**plain, api_key=tenants["team"]["key"])] == ["failure", *["success"] * 2]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "acompletion"),
        ({"route": "/completions"}, "atext_completion"),
        ({"route": "/embeddings"}, "aembedding"),
        ({"outcome": "interrupted"}, None),
    ],
)
def test_the_kind_of_a_call(fields: dict[str, str], kind: str | None) -> None:
    record = calls.record(**fields)
    calls.put([record])
    (row,) = shown(request_id=id_of(record))
    assert row["call_type"] == kind


def test_a_place_with_many_calls_is_read_page_by_page(
    tenants: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_PAGE", 2)
    monkeypatch.setattr(finding, "_LEAST_PAGE", 2)
    records = [of_team(at=NOON + timedelta(seconds=number), user_id="ana") for number in range(7)]
    calls.counted(records)
    expected = [id_of(record) for record in reversed(records)]
    assert ids_of(shown(user_id="ana", summarize="false", **MARCH)) == expected
    monkeypatch.setattr(finding, "MOST_READ", 4)
    answer = logs(user_id="ana", summarize="false", **MARCH)
    assert (ids_of(answer.body), answer.headers["x-tollgate-truncated"]) == (expected[:4], "true")


def test_an_array_ends_where_an_answer_is_full(
    tenants: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"error": "e" * 900, "call_metadata": json.dumps({"note": "n" * 9000})}
    records = [of_team(at=NOON + timedelta(seconds=number), user_id="ana", **fields) for number in range(3)]
    calls.counted(records)
    whole = logs(user_id="ana", summarize="false", **MARCH)
    assert (len(whole.body), "x-tollgate-truncated" in whole.headers) == (3, False)
    monkeypatch.setattr(spend_logs, "MOST_BYTES", 3 * len(whole.text) // 2)
    one = logs(user_id="ana", summarize="false", **MARCH)
    assert (one.body, one.headers["x-tollgate-truncated"]) == (whole.body[:2], "true")


def test_days_are_summed_from_their_buckets(tenants: dict[str, dict[str, Any]]) -> None:
    ana, team = tenants["ana"]["token"], tenants["team"]["token"]
    calls.counted(
        [
            calls.record(NOON, key_id=ana, user_id="ana", cost_usd=Decimal("0.5")),
            of_team(key_id=team, requested_model="slow", cost_usd=Decimal("0.25")),
            of_team(at=NOON + timedelta(days=1), key_id=team, cost_usd=Decimal(2)),
        ]
    )
    first = {"startTime": "2026-03-01", "spend": 0.75, "users": {"ana": 0.5}, "models": {"fast": 0.5, "slow": 0.25}}
    second = {"startTime": "2026-03-02", "spend": 2, "users": {}, "models": {"fast": 2}}
    assert shown(**MARCH) == [first | {ana: 0.5, team: 0.25}, second | {team: 2}]
    own = {"startTime": "2026-03-01", "spend": 0.5, "users": {"ana": 0.5}, "models": {"fast": 0.5}, ana: 0.5}
    assert shown(**MARCH, user_id="ana") == shown(**MARCH, api_key=ana) == [own]
    assert shown(start_date="2026-04-01", end_date="2026-04-02") == []
    assert shown(**MARCH, api_key=ana, user_id="tess") == []
    assert "x-tollgate-as-of" in logs(**MARCH).headers


def test_everybody_sees_his_own(tenants: dict[str, dict[str, Any]]) -> None:
    """Whatever user is named; beside that only keys and teams that one manages."""
    later = {"at": clock.utc_now() + timedelta(minutes=1)}
    records = [
        calls.record(key_id=tenants["ana"]["token"], user_id="ana", **later),
        of_team(key_id=tenants["team"]["token"], **later),
        of_team("other-dev", "org_other", key_id=tenants["foreign"]["token"], **later),
    ]
    calls.counted(records)
    own, service, foreign = map(id_of, records)
    ana, tess, olga = (key(tenants[user_id]["key"]) for user_id in ("ana", "tess", "olga"))
    for query in ({}, {"user_id": "tess"}, {"api_key": tenants["ana"]["key"]}, {"request_id": own}):
        assert ids_of(shown(ana, **query)) == [own]
    for caller in (tess, olga):
        assert shown(caller) == []
        assert ids_of(shown(caller, api_key=tenants["team"]["token"])) == [service]
        assert ids_of(shown(caller, request_id=service)) == [service]
        assert ids_of(shown(caller, "/spend/logs/v2", team_id="acme-dev")["data"]) == [service]
        day = str(clock.utc_now().date())
        (summed,) = shown(caller, api_key=tenants["team"]["token"], start_date=day, end_date=day)
        assert summed["models"] == {"fast": 0.000000000125}
        assert shown(caller, request_id=foreign) == shown(caller, request_id=own) == []
    assert shown(ana, request_id=service) == []
    assert shown(ana, "/spend/logs/v2", team_id="acme-dev")["data"] == []


@pytest.mark.parametrize("user_id", ["ana", "tess", "olga"])
def test_what_is_others_is_refused(tenants: dict[str, dict[str, Any]], user_id: str) -> None:
    caller = key(tenants[user_id]["key"])
    named = {"api_key": [tenants["foreign"]["token"], tenants["foreign"]["key"], "0" * 64]}
    if user_id == "ana":
        named["api_key"].append(tenants["team"]["token"])
    for name in named["api_key"]:
        answer = logs(caller, api_key=name)
        text = "You are not authorized to check this key's spend"
        assert (answer.status, answer.body) == (403, e1(text, "internal_error", "None", 403))
    for team_id in ("other-dev", "nope"):
        answer = logs(caller, "/spend/logs/v2", team_id=team_id)
        text = "You are not authorized to check this team's spend"
        assert (answer.status, answer.body) == (403, e1(text, "internal_error", "None", 403))


def test_a_teams_own_key_sees_no_logs(tenants: dict[str, dict[str, Any]]) -> None:
    answer = logs(key(tenants["team"]["key"]))
    assert (answer.status, answer.body["error"]["type"]) == (401, "auth_error")


def test_nobody_inherits_the_calls_of_an_id(tenants: dict[str, dict[str, Any]]) -> None:
    """Neither a user's nor a team's who had the same id before (Q-01)."""
    before = of_team(key_id=tenants["team"]["token"], at=clock.utc_now() - timedelta(minutes=1), user_id="ana")
    calls.counted([before])
    assert shown(key(tenants["ana"]["key"])) == []
    call("DELETE", "/api/teams/acme-dev", query={"force": "true"})
    build.organization("org_new")
    build.team("acme-dev", "org_new")
    build.member("team-member", "acme-dev", "tess", role="team_admin")
    assert shown(key(tenants["tess"]["key"]), request_id=id_of(before)) == []
    assert ids_of(shown(key(tenants["olga"]["key"]), request_id=id_of(before))) == [id_of(before)]


def test_pages_and_filters(tenants: dict[str, dict[str, Any]]) -> None:
    records = [
        of_team(at=NOON + timedelta(minutes=number), cost_usd=Decimal(number), customer_id=f"c-{number % 2}")
        for number in range(5)
    ]
    records.append(of_team(at=NOON + timedelta(minutes=9), outcome="failed", cost_usd=0, requested_model="slow"))
    calls.counted(records)
    names = [id_of(record) for record in reversed(records)]
    first = shown(path="/spend/logs/v2", page_size=4, **MARCH)
    rest = {name: value for name, value in first.items() if name not in {"data", "as_of"}}
    assert first["as_of"].endswith("+00:00")
    assert rest == {"total": 6, "page": 1, "page_size": 4, "total_pages": 2, "truncated": False}
    assert ids_of(first["data"]) == names[:4]
    assert ids_of(shown(path="/spend/logs/v2", page_size=4, page=2, **MARCH)["data"]) == names[4:]
    begun = {"start_date": "2026-03-01 12:03:00", "end_date": "2026-03-01 12:04:00"}
    for query, expected in (
        ({"status_filter": "failure"}, names[:1]),
        ({"model": "slow"}, names[:1]),
        ({"min_spend": 3, "max_spend": 3.5}, [names[2]]),
        ({"end_user": "c-1"}, [names[2], names[4]]),
        (begun, names[1:3]),
        ({"request_id": names[3], "team_id": "acme-dev"}, [names[3]]),
        ({"request_id": names[3], "team_id": "other-dev"}, []),
        ({"team_id": "other-dev"}, []),
        ({"team_id": "nope"}, []),
    ):
        page = shown(path="/spend/logs/v2", **MARCH | query)
        assert (ids_of(page["data"]), page["total"]) == (expected, len(expected)), query


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("/spend/logs", {"start_date": "yesterday"}, "start_date"),
        ("/spend/logs/v2", {"page": 0}, "page"),
        ("/spend/logs/v2", {"page_size": 101}, "page_size"),
        ("/spend/logs/v2", {"end_date": "2026-13-01"}, "end_date"),
        ("/spend/logs/v2", {"status_filter": "maybe"}, "status_filter"),
    ],
)
def test_a_query_out_of_bounds(path: str, query: dict[str, Any], name: str) -> None:
    answer = logs(path=path, **query)
    (entry,) = answer.body["detail"]
    assert (answer.status, entry["loc"]) == (422, ["query", name])


def test_days_in_the_wrong_order() -> None:
    answer = logs(start_date="2026-03-02", end_date="2026-03-01")
    text = "{'error': 'end_date is before start_date'}"
    assert (answer.status, answer.body) == (400, e1(text, "internal_error", "end_date", 400))
