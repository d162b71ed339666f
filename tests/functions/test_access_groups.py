"""Access groups: what they hold, which teams hold them, the builtin ones (contract 1.7 and 4, Q-44)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import MASTER, NOBODY, call, key, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, partition
from tollgate.auth.principal import ActorKind, Principal
from tollgate.core.clock import utc_now
from tollgate.core.errors import InvalidRequestError
from tollgate.models import groups_repository
from tollgate.models.builtin import BUILTIN_GROUPS
from tollgate.models.service import access_group_exists
from tollgate.models.unlink import remove_group
from tollgate.table.transactions import LostRaceError, Work

GROUPS = "/api/model-access-groups"
NOON, ONE = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"


def basic(**changes: Any) -> dict[str, Any]:
    return {
        "group_name": "basic",
        "description": None,
        "model_aliases": [],
        "builtin": False,
        "created_at": NOON,
        "updated_at": NOON,
    } | changes


def team_count(group_name: str) -> int:
    count: int = call("GET", f"{GROUPS}/{group_name}").body["team_count"]
    return count


def groups_of(team_id: str) -> list[str]:
    groups: list[str] = call("GET", f"/api/teams/{team_id}").body["access_groups"]
    return groups


def test_create(clock: FakeClock) -> None:
    build.alias("fast")
    request = {
        "group_name": "basic",
        "description": "for all",
        "model_aliases": ["fast", "local/echo", "gpt-*", "openai/*", "*", "fast"],
    }
    answer = call("POST", f"{GROUPS}/create", request)
    entries = ["fast", "local/echo", "gpt-*", "openai/*", "*"]
    assert (answer.status, answer.body) == (200, basic(description="for all", model_aliases=entries))
    event = audit_events()[-1]
    assert (event["action"], event["resource_id"], event["actor"]) == (
        "access_group.created",
        "basic",
        "default_user_id",
    )
    assert next(item["number"] for item in all_items() if item["kind"] == "catalogue_version") == 2


def test_a_duplicate_changes_nothing() -> None:
    build.access_group("basic", model_aliases=["gpt-*"])
    before = all_items()
    answer = call("POST", f"{GROUPS}/create", {"group_name": "basic"})
    expected = problem(400, "access_group_exists", "Access group already exists: 'basic'")
    assert (answer.status, answer.body) == (400, expected)
    assert all_items() == before


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"model_aliases": ["nope", "gpt-*", "neither"]}, "model_aliases", "unknown model alias 'nope', 'neither'"),
        ({"model_aliases": ["all-proxy-models"]}, "model_aliases", "unknown model alias 'all-proxy-models'"),
        ({"model_aliases": ["gpt-models"]}, "model_aliases", "unknown model alias 'gpt-models'"),
        ({"model_aliases": ["two words"]}, "model_aliases.0", "should match pattern"),
        ({"model_aliases": ["*"] * 501}, "model_aliases", "at most 500"),
        ({"model_aliases": "fast"}, "model_aliases", "valid list"),
        ({"group_name": "Basic"}, "group_name", "should match pattern"),
        ({"group_name": "1basic"}, "group_name", "should match pattern"),
        ({"description": "x" * 1001}, "description", "at most 1000"),
        ({"unknown": 1}, "unknown", "not permitted"),
    ],
)
def test_create_names_what_is_wrong(change: dict[str, Any], field: str, message: str) -> None:
    answer = call("POST", f"{GROUPS}/create", {"group_name": "basic"} | change)
    assert answer.status == 422, answer.text
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert message in answer.body["errors"][0]["message"]
    assert all_items() == []


def test_builtin_groups_exist_without_being_stored() -> None:
    listed = call("GET", GROUPS).body
    assert listed == {
        "access_groups": [
            {
                "group_name": name,
                "description": BUILTIN_GROUPS[name].description,
                "model_count": len(BUILTIN_GROUPS[name].model_aliases),
                "team_count": 0,
                "builtin": True,
            }
            for name in ("claude-models", "fast-models", "gemini-models", "gpt-models", "smart-models")
        ],
        "next_cursor": None,
    }
    assert call("GET", f"{GROUPS}/claude-models").body == {
        "group_name": "claude-models",
        "description": "Claude models of any provider",
        "model_aliases": [
            {"alias": "claude-*", "litellm_model": None, "description": None},
            {"alias": "anthropic/*", "litellm_model": None, "description": None},
        ],
        "team_count": 0,
        "teams_with_access": [],
        "builtin": True,
        "created_at": None,
        "updated_at": None,
    }
    assert all_items() == []


def test_a_create_replaces_a_builtin_group_and_keeps_its_teams(clock: FakeClock) -> None:
    build.organization()
    build.team("one", access_groups=["gpt-models"])
    assert team_count("gpt-models") == 1
    answer = call("POST", f"{GROUPS}/create", {"group_name": "gpt-models", "model_aliases": ["gpt-4o*"]})
    assert (answer.status, answer.body) == (200, basic(group_name="gpt-models", model_aliases=["gpt-4o*"]))
    details = call("GET", f"{GROUPS}/gpt-models").body
    assert (details["builtin"], details["team_count"], details["teams_with_access"]) == (False, 1, ["one"])
    assert call("POST", f"{GROUPS}/create", {"group_name": "gpt-models"}).status == 400


def test_deleting_what_replaced_a_builtin_group_brings_that_back() -> None:
    build.access_group("gpt-models", model_aliases=["x*"])
    assert call("DELETE", f"{GROUPS}/gpt-models").status == 200
    details = call("GET", f"{GROUPS}/gpt-models").body
    assert details["builtin"] is True
    assert [entry["alias"] for entry in details["model_aliases"]] == list(BUILTIN_GROUPS["gpt-models"].model_aliases)


@pytest.mark.parametrize("held", [False, True])
def test_a_builtin_group_cannot_be_deleted(*, held: bool) -> None:
    if held:
        build.organization()
        build.team("one", access_groups=["gpt-models"])
    before = all_items()
    answer = call("DELETE", f"{GROUPS}/gpt-models")
    text = "Access group 'gpt-models' is built in and cannot be deleted"
    assert (answer.status, answer.body) == (400, problem(400, "builtin_access_group", text))
    assert all_items() == before


def test_a_builtin_group_that_teams_hold_stays_builtin() -> None:
    build.organization()
    build.team("one", access_groups=["gpt-models"])
    call("PUT", "/api/teams/one", {"access_groups": []})
    details = call("GET", f"{GROUPS}/gpt-models").body
    assert (details["builtin"], details["team_count"], details["created_at"]) == (True, 0, None)


def test_list_in_pages() -> None:
    for name in ("aaa", "fast-models", "zzz"):
        build.access_group(name, model_aliases=["gpt-*"])
    names: list[str] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        page = call("GET", GROUPS, query={"limit": 2} | ({"cursor": cursor} if cursor else {})).body
        names += [group["group_name"] for group in page["access_groups"]]
        cursor = page["next_cursor"]
        pages += 1
    assert names == [
        "aaa", "claude-models", "fast-models", "gemini-models", "gpt-models", "smart-models", "zzz",
    ]  # fmt: skip
    assert pages == 4
    assert [g["group_name"] for g in call("GET", GROUPS, query={"offset": 5}).body["access_groups"]] == names[5:]
    tampered = call("GET", GROUPS, query={"cursor": "abc"})
    assert (tampered.status, tampered.body["code"]) == (400, "invalid_cursor")


def test_get(clock: FakeClock) -> None:
    build.alias("fast", description="quick")
    build.access_group("basic", model_aliases=["fast", "gpt-*"], description="d")
    build.organization()
    build.team("two", access_groups=["basic"])
    build.team("one", access_groups=["basic"])
    answer = call("GET", f"{GROUPS}/basic")
    assert (answer.status, answer.body) == (
        200,
        {
            "group_name": "basic",
            "description": "d",
            "model_aliases": [
                {"alias": "fast", "litellm_model": "openai/gpt-4o-mini", "description": "quick"},
                {"alias": "gpt-*", "litellm_model": None, "description": None},
            ],
            "team_count": 2,
            "teams_with_access": ["one", "two"],
            "builtin": False,
            "created_at": NOON,
            "updated_at": NOON,
        },
    )


def test_update(clock: FakeClock) -> None:
    build.alias("fast")
    build.access_group("basic", model_aliases=["gpt-*"], description="d")
    clock.advance(hours=1)
    answer = call("PUT", f"{GROUPS}/basic", {"model_aliases": ["fast"]})
    expected = basic(description="d", model_aliases=["fast"], updated_at=ONE)
    assert (answer.status, answer.body) == (200, expected)
    event = audit_events()[-1]
    assert (event["action"], event["before"], event["after"]) == (
        "access_group.updated",
        '{"description":"d","model_aliases":["gpt-*"]}',
        '{"description":"d","model_aliases":["fast"]}',
    )
    answer = call("PUT", f"{GROUPS}/basic", {"description": None, "model_aliases": None})
    assert answer.body == basic(updated_at=ONE)
    assert call("GET", f"{GROUPS}/basic").body["created_at"] == NOON
    assert call("PUT", f"{GROUPS}/basic", {"model_aliases": ["nope"]}).status == 422


def test_update_of_a_builtin_group_makes_it_the_operators_own(clock: FakeClock) -> None:
    answer = call("PUT", f"{GROUPS}/gpt-models", {"description": "ours"})
    entries = list(BUILTIN_GROUPS["gpt-models"].model_aliases)
    expected = basic(group_name="gpt-models", description="ours", model_aliases=entries)
    assert (answer.status, answer.body) == (200, expected)
    assert call("GET", f"{GROUPS}/gpt-models").body["builtin"] is False


def test_add_and_remove_models(clock: FakeClock) -> None:
    build.alias("fast")
    build.access_group("basic", model_aliases=["gpt-*"])
    added = call("POST", f"{GROUPS}/basic/add-models", {"model_aliases": ["fast", "gpt-*"]})
    assert (added.status, added.body) == (200, basic(model_aliases=["gpt-*", "fast"]))
    removed = call("POST", f"{GROUPS}/basic/remove-models", {"model_aliases": ["gpt-*", "never-there"]})
    assert (removed.status, removed.body) == (200, basic(model_aliases=["fast"]))
    unknown = call("POST", f"{GROUPS}/basic/add-models", {"model_aliases": ["nope"]})
    text = "model_aliases: unknown model alias 'nope'"
    assert (unknown.status, unknown.body["errors"]) == (422, [{"field": "model_aliases", "message": text}])
    for verb in ("add-models", "remove-models"):
        assert call("POST", f"{GROUPS}/basic/{verb}", {"model_aliases": []}).status == 422


def test_a_group_stays_within_its_bound() -> None:
    build.access_group("basic", model_aliases=[f"m{number}-*" for number in range(500)])
    answer = call("POST", f"{GROUPS}/basic/add-models", {"model_aliases": ["one-more-*"]})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "model_aliases")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PUT", "", {"description": "d"}),
        ("DELETE", "", None),
        ("POST", "/add-models", {"model_aliases": ["gpt-*"]}),
        ("POST", "/remove-models", {"model_aliases": ["gpt-*"]}),
    ],
)
def test_unknown_group(method: str, path: str, body: Any) -> None:
    answer = call(method, f"{GROUPS}/nope{path}", body)
    assert (answer.status, answer.body) == (404, problem(404, "not_found", "Access group 'nope' not found"))
    assert all_items() == []


def test_delete_takes_it_from_every_team() -> None:
    build.organization()
    build.access_group("basic", model_aliases=["gpt-*"])
    build.access_group("other", model_aliases=["gpt-*"])
    for number in range(5):
        build.team(f"team-{number}", access_groups=["basic", "other"])
    build.team("without", access_groups=["other"])
    answer = call("DELETE", f"{GROUPS}/basic")
    assert (answer.status, answer.body) == (200, {"group_name": "basic", "deleted": True, "teams_changed": 5})
    assert [groups_of(f"team-{number}") for number in range(5)] == [["other"]] * 5
    assert groups_of("without") == ["other"]
    assert team_count("other") == 6
    assert partition("GROUP#basic#TEAMS") == []
    events = audit_events()
    assert [event["action"] for event in events[-6:]] == ["team.updated"] * 5 + ["access_group.deleted"]
    assert (events[-6]["organization_id"], events[-6]["before"], events[-6]["after"]) == (
        "org_acme", '{"access_groups":["basic","other"]}', '{"access_groups":["other"]}',
    )  # fmt: skip


def test_an_interrupted_delete_is_finished_by_a_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    build.organization()
    build.access_group("basic", model_aliases=["gpt-*"])
    for number in range(3):
        build.team(f"team-{number}", access_groups=["basic"])
    done: list[str] = []

    def dies_after_one(caller: Principal, team_id: str, group_name: str, clock: Any) -> bool:
        if done:
            raise KeyboardInterrupt
        done.append(team_id)
        return remove_group(caller, team_id, group_name, clock)

    with monkeypatch.context() as patch:
        patch.setattr("tollgate.models.groups.remove_group", dies_after_one)
        with pytest.raises(KeyboardInterrupt):
            call("DELETE", f"{GROUPS}/basic")
    assert team_count("basic") == 2
    assert call("DELETE", f"{GROUPS}/basic").body == {"group_name": "basic", "deleted": True, "teams_changed": 2}
    assert [groups_of(f"team-{number}") for number in range(3)] == [[]] * 3


def test_a_team_that_gains_the_group_while_it_is_deleted_loses_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    build.organization()
    build.access_group("basic", model_aliases=["gpt-*"])
    build.team("one", access_groups=["basic"])

    def another_team_comes(caller: Principal, team_id: str, group_name: str, clock: Any) -> bool:
        if team_id == "one":
            build.team("two", access_groups=["basic"])
        return remove_group(caller, team_id, group_name, clock)

    monkeypatch.setattr("tollgate.models.groups.remove_group", another_team_comes)
    monkeypatch.setattr("tollgate.models.groups_repository.teams_of", _read_at_once(groups_repository.teams_of))
    assert call("DELETE", f"{GROUPS}/basic").body["teams_changed"] == 2
    assert (groups_of("one"), groups_of("two")) == ([], [])
    assert call("GET", f"{GROUPS}/basic").status == 404


def _read_at_once(teams_of: Any) -> Any:
    """The links as they are at the first look, as a page of them is read before the first is removed."""
    return lambda *given: iter(list(teams_of(*given)))


def test_an_alias_that_disappears_meanwhile_is_not_added(monkeypatch: pytest.MonkeyPatch) -> None:
    build.alias("fast")
    build.access_group("basic")
    find = groups_repository.find
    pending = ["/api/model-aliases/fast"]

    def find_then_lose(group_name: str) -> Any:
        group = find(group_name)
        if pending:
            call("DELETE", pending.pop())
        return group

    monkeypatch.setattr("tollgate.models.groups_repository.find", find_then_lose)
    answer = call("POST", f"{GROUPS}/basic/add-models", {"model_aliases": ["fast"]})
    assert answer.status == 422
    assert call("GET", f"{GROUPS}/basic").body["model_aliases"] == []


def test_which_names_are_no_groups() -> None:
    build.access_group("basic")
    names = ["nope", "basic", "gpt-models", "*", "nope", "all-proxy-models"]
    assert access_group_exists(names) == ["nope", "all-proxy-models"]
    assert access_group_exists([]) == []


def test_linking_a_group_that_is_gone_or_held_already() -> None:
    work = Work()
    groups_repository.link_team(work, "nope", "one")
    with pytest.raises(InvalidRequestError, match="Unknown access group 'nope'") as raised:
        work.commit()
    assert raised.value.param == "access_groups"
    assert all_items() == []
    for expected in (None, LostRaceError):
        work = Work()
        groups_repository.link_team(work, "gpt-models", "one")
        if expected is None:
            work.commit()
        else:
            with pytest.raises(expected):
                work.commit()
    assert team_count("gpt-models") == 1


def test_everything_needs_no_link() -> None:
    work = Work()
    groups_repository.link_team(work, "*", "one")
    groups_repository.link_team(work, "gpt-models", "one")
    work.commit()
    assert sorted(item["PK"] for item in all_items()) == ["CATALOGUE", "GROUP#gpt-models#TEAMS"]


def test_a_link_to_a_team_that_is_gone_is_only_removed() -> None:
    build.access_group("basic")
    work = Work()
    groups_repository.link_team(work, "basic", "ghost")
    work.commit()
    nobody = Principal(actor="default_user_id", kind=ActorKind.PLATFORM)
    assert remove_group(nobody, "ghost", "basic", utc_now) is False
    assert team_count("basic") == 0


def test_team_keys_and_strangers_are_refused() -> None:
    build.organization()
    build.access_group("basic")
    mine = key(build.team()["virtual_key"])
    before = all_items()
    for method, path, body in (
        ("POST", "/create", {"group_name": "x-y"}),
        ("GET", "", None),
        ("GET", "/basic", None),
        ("PUT", "/basic", {"description": "d"}),
        ("DELETE", "/basic", None),
        ("POST", "/basic/add-models", {"model_aliases": ["*"]}),
        ("POST", "/basic/remove-models", {"model_aliases": ["*"]}),
    ):
        answer = call(method, GROUPS + path, body, caller=mine)
        assert (answer.status, answer.body) == (
            403, problem(403, "forbidden", "This credential may not use this endpoint"),
        )  # fmt: skip
        assert call(method, GROUPS + path, body, caller=NOBODY).status == 401
        assert call(method, GROUPS + path, body, caller=MASTER | {"kind": ""}).status == 401
    assert all_items() == before
