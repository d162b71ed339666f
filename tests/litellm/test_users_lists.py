"""Lists of users by LiteLLM's API: pages, totals, filters and orders (contract litellm 1.5, Q-27, Q-28)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.litellm.test_users import ROW, done
from tests.support import build
from tests.support.api import Answer, call
from tests.support.clock import FakeClock
from tests.support.items import put_raw, raw_items
from tollgate.core.numbered import NumberedPages
from tollgate.litellm import user_lists

_items: list[dict[str, Any]] = []
ALL = ["eve", "dan", "cleo", "ben", "ana"]


@pytest.fixture(autouse=True)
def world(empty_table: None, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """ana to eve, a second apart, made once and from memory after that."""
    monkeypatch.setattr(user_lists, "PAGES", NumberedPages())
    if _items:
        put_raw(_items)
        return
    build.organization()
    build.team()
    fields = {
        "ana": {"email": "zoe@example.com", "max_budget": 5},
        "ben": {"email": "ben@other.org", "display_name": "Benjamin", "sso_user_id": "s-ben"},
        "cleo": {"role": "platform_viewer"},
        "dan": {"role": "member_viewer", "email": "dan@example.com"},
        "eve": {"sso_user_id": "s-eve"},
    }
    for name, own in fields.items():
        build.user(name, **own)
        clock.advance(seconds=1)
    build.member("team-member", "acme-dev", "ana")
    build.member("team-member", "acme-dev", "dan")
    build.member("organization-member", "org_acme", "ben")
    build.issued_key(user_id="ana")
    _items.extend(raw_items())


def listed(**query: Any) -> Answer:
    return call("GET", "/user/list", query={name: str(value) for name, value in query.items()})


def names(**query: Any) -> list[str]:
    return [user["user_id"] for user in done(listed(**query))["users"]]


def test_a_page_has_whole_rows() -> None:
    page = done(listed())
    assert [user["user_id"] for user in page.pop("users")] == ALL
    assert page == {"total": 5, "page": 1, "page_size": 25, "total_pages": 1}
    (row,) = done(listed(user_ids="ana"))["users"]
    assert row == ROW | {
        "user_id": "ana",
        "user_email": "zoe@example.com",
        "max_budget": 5,
        "team_id": "acme-dev",
        "teams": ["acme-dev"],
        "key_count": 1,
    }


def test_pages_in_any_order() -> None:
    assert [names(page=number, page_size=2) for number in (1, 2, 3, 4)] == [ALL[:2], ALL[2:4], ALL[4:], []]
    assert names(page=3, page_size=2) == ALL[4:]
    assert names(page=2, page_size=3) == ALL[3:]
    assert done(listed(page=3, page_size=2))["total_pages"] == 3


def test_a_list_that_has_changed_is_read_anew(clock: FakeClock) -> None:
    assert [names(page=number, page_size=2) for number in (1, 2)] == [ALL[:2], ALL[2:4]]
    clock.advance(seconds=10)
    done(call("POST", "/user/new", {"user_id": "new", "auto_create_key": False}))
    assert names(page=2, page_size=2) == ["dan", "cleo"]
    done(call("POST", "/user/delete", {"user_ids": ["dan"]}))
    assert names(page=2, page_size=2) == ["cleo", "ben"]
    page = done(listed(page=3, page_size=2))
    assert ([user["user_id"] for user in page["users"]], page["total"]) == (["ana"], 5)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"role": "internal_user"}, ["eve", "ben", "ana"]),
        ({"role": "internal_user_viewer"}, ["dan"]),
        ({"role": "proxy_admin_viewer"}, ["cleo"]),
        ({"role": "proxy_admin"}, []),
        ({"user_ids": "ana, eve,nobody"}, ["eve", "ana"]),
        ({"user_ids": "eve,ana", "role": "proxy_admin"}, []),
        ({"sso_user_ids": "s-eve,s-nobody"}, ["eve"]),
        ({"user_email": "EXAMPLE.com"}, ["dan", "ana"]),
        ({"search": "ben"}, ["ben"]),
        ({"search": "JAMIN"}, ["ben"]),
        ({"search": "zoe@"}, ["ana"]),
        ({"team": "acme-dev"}, ["dan", "ana"]),
        ({"team": "acme-dev", "user_email": "zoe"}, ["ana"]),
        ({"organization_ids": "org_acme,org_nobody"}, ["ben"]),
        ({"organization_ids": "org_acme", "team": "acme-dev"}, []),
        ({"organization_ids": "org_nobody"}, []),
    ],
)
def test_filters(query: dict[str, str], expected: list[str]) -> None:
    page = done(listed(**query))
    found = [user["user_id"] for user in page["users"]]
    assert (found, page["total"]) == (expected, len(expected))


@pytest.mark.parametrize(
    ("by", "rising"),
    [
        ("user_id", ["ana", "ben", "cleo", "dan", "eve"]),
        ("created_at", ["ana", "ben", "cleo", "dan", "eve"]),
        ("user_role", ["ana", "ben", "eve", "dan", "cleo"]),
    ],
)
def test_orders(by: str, rising: list[str]) -> None:
    assert names(sort_by=by) == rising
    assert names(sort_by=by, sort_order="desc") == rising[::-1]
    assert names(sort_by=by, page=2, page_size=2) == rising[2:4]


def test_what_has_no_value_comes_last() -> None:
    assert names(sort_by="user_email") == ["ben", "dan", "ana", "eve", "cleo"]
    assert names(sort_by="user_email", sort_order="desc") == ["ana", "dan", "ben", "eve", "cleo"]


def test_by_what_they_have_spent() -> None:
    done(call("POST", "/user/update", {"user_id": "ana", "spend": 2}))
    assert names(sort_by="spend", sort_order="desc")[0] == "ana"


@pytest.mark.parametrize(
    "query", [{"page": 0}, {"page_size": 0}, {"page_size": 101}, {"sort_by": "password"}, {"role": "owner"}]
)
def test_what_is_no_page(query: dict[str, Any]) -> None:
    answer = listed(**query)
    assert (answer.status, answer.body["detail"][0]["loc"]) == (422, ["query", *query])


def test_a_team_that_is_not_there() -> None:
    answer = listed(team="nope")
    assert (answer.status, answer.body) == (404, {"detail": {"error": "Team not found, passed team_id=nope"}})


def test_a_page_far_away_is_not_walked_to() -> None:
    pages = NumberedPages()
    with pytest.raises(Exception, match="page 102 is too far"):
        pages.entries(lambda _: pytest.fail("read"), "list", 102, 100)
