"""Lists of keys by LiteLLM's API: whose, in which order, page by page (contract litellm 1.6, Q-27)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.litellm.test_keys import e1, generate
from tests.support import build
from tests.support.api import Answer, call, key


def listed(caller: dict[str, str] | None = None, **query: Any) -> Any:
    answer = asked(caller, **query)
    assert answer.status == 200, answer.text
    return answer.body


def asked(caller: dict[str, str] | None = None, **query: Any) -> Answer:
    return call("GET", "/key/list", query=query, **({"caller": caller} if caller is not None else {}))


def test_all_keys_page_by_page() -> None:
    tokens = [generate(key_alias=f"k{number}")["token"] for number in range(5)][::-1]
    assert listed(size=2) == {"keys": tokens[:2], "total_count": 5, "current_page": 1, "total_pages": 3}
    assert listed(size=2, page=3) == {"keys": tokens[4:], "total_count": 5, "current_page": 3, "total_pages": 3}
    assert listed(size=2, page=4)["keys"] == []
    assert listed(size=2, page=9999)["keys"] == []


def test_a_deleted_key_leaves_the_list_and_the_total() -> None:
    one, two = generate(), generate()
    call("POST", "/key/delete", {"keys": [one["token"]]})
    assert listed() == {"keys": [two["token"]], "total_count": 1, "current_page": 1, "total_pages": 1}
    assert listed(status="deleted")["keys"] == [one["token"]]
    (row,) = listed(status="deleted", return_full_object="true")["keys"]
    assert row["status"] == "deleted"


def test_whole_rows_have_the_hash() -> None:
    row = generate(key_alias="ci", max_budget=3)
    (shown,) = listed(return_full_object="true")["keys"]
    assert shown == {name: value for name, value in row.items() if name not in {"key", "token_id"}}


def test_filters_and_order() -> None:
    build.organization()
    build.team()
    build.user("ana")
    one = generate(key_alias="alpha", team_id="acme-dev", user_id="ana", max_budget=3)["token"]
    two = generate(key_alias="Beta", user_id="ana", max_budget=1)["token"]
    three = generate(key_alias="alphabet", organization_id="org_acme")["token"]
    assert listed(user_id="ana")["keys"] == [two, one]
    assert listed(user_id="ana", team_id="acme-dev")["keys"] == [one]
    assert listed(organization_id="org_acme", search="alpha")["keys"] == [three, one]
    assert listed(key_alias="alpha")["keys"] == [one]
    assert listed(key_alias="alph", substring_matching="true")["keys"] == [three, one]
    assert listed(key_hash=two)["keys"] == [two]
    assert listed(user_id="ana", sort_by="max_budget", sort_order="asc")["keys"] == [two, one]
    assert listed(key_alias="a", substring_matching="true", sort_by="max_budget")["keys"] == [one, two, three]
    assert listed(user_id="ana", sort_by="spend")["total_count"] == 2
    call("POST", "/key/delete", {"keys": [one]})
    assert listed(team_id="acme-dev", key_alias="alpha")["keys"] == []


def test_aliases() -> None:
    for alias in ("b", "a", "cc"):
        generate(key_alias=alias)
    generate()
    shown = {"total_count": 3, "current_page": 1, "total_pages": 2, "size": 2}
    assert call("GET", "/key/aliases", query={"size": 2}).body == shown | {"aliases": ["a", "b"]}
    assert call("GET", "/key/aliases", query={"search": "C"}).body["aliases"] == ["cc"]


@pytest.fixture
def tenants() -> dict[str, str]:
    """Two tenants with a key each, by the team."""
    for organization_id, team_id in (("org_acme", "acme-dev"), ("org_other", "other-dev")):
        build.organization(organization_id)
        build.team(team_id, organization_id)
    build.user("ana")
    build.user("tess")
    build.user("olga")
    build.member("team-member", "acme-dev", "tess", role="team_admin")
    build.member("organization-member", "org_acme", "olga", role="org_admin")
    return {team_id: generate(team_id=team_id, key_alias=team_id)["token"] for team_id in ("acme-dev", "other-dev")}


def test_everybody_sees_his_own(tenants: dict[str, str]) -> None:
    own = generate(user_id="tess")
    caller = key(own["key"])
    primary = build.team_details()["key_id"]
    assert listed(caller)["keys"] == [own["token"]]
    with_team = listed(caller, include_team_keys="true")
    assert set(with_team["keys"]) == {own["token"], tenants["acme-dev"], primary}
    assert set(listed(caller, team_id="acme-dev")["keys"]) == {tenants["acme-dev"], primary}
    olga = key(generate(user_id="olga")["key"])
    assert set(listed(olga, organization_id="org_acme")["keys"]) == {tenants["acme-dev"], primary}
    nobodys = generate(team_id="acme-dev")
    assert listed(key(nobodys["key"]))["keys"] == [nobodys["token"]]
    names = call("GET", "/key/aliases", caller=caller).body
    assert names["aliases"] == []


@pytest.mark.parametrize("user_id", ["ana", "tess", "olga"])
@pytest.mark.parametrize(
    ("query", "whose"),
    [
        ({"team_id": "other-dev"}, "this team's"),
        ({"team_id": "nope"}, "this team's"),
        ({"organization_id": "org_other"}, "this organization's"),
        ({"user_id": "somebody"}, "another user's"),
    ],
)
def test_the_keys_of_others_are_refused(
    tenants: dict[str, str], user_id: str, query: dict[str, str], whose: str
) -> None:
    answer = asked(key(generate(user_id=user_id)["key"]), **query)
    message = f"You are not authorized to check {whose} keys"
    assert (answer.status, answer.body) == (403, e1(message, "bad_request_error", "None", 403))
    hidden = listed(key(generate(user_id=user_id)["key"]), key_hash=tenants["other-dev"])
    assert hidden["keys"] == []


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"size": 1000}, "less_than_equal"),
        ({"page": 0}, "greater_than_equal"),
        ({"sort_by": "name"}, "literal_error"),
    ],
)
def test_a_query_out_of_bounds(query: dict[str, Any], kind: str) -> None:
    answer = asked(**query)
    (name,) = query
    (entry,) = answer.body["detail"]
    assert (answer.status, entry["type"], entry["loc"]) == (422, kind, ["query", name])
