"""Administrators of users who meet, on a real engine: services are called from threads that start together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import build
from tests.support.api import call
from tests.support.items import all_items
from tests.support.races import at_once, persistently
from tollgate.litellm import users
from tollgate.litellm.errors import DialectError
from tollgate.litellm.user_requests import ChangeUser, NewUser, UserIds

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
MANY = 20


def new(**fields: Any) -> Any:
    return users.new(ADMIN, NewUser.model_validate(fields | {"auto_create_key": False}))


def total() -> int:
    number: int = call("GET", "/user/list").body["total"]
    return number


@pytest.mark.parametrize(
    ("same", "message"),
    [
        ({"user_id": "ana"}, "User with id ana already exists"),
        ({"user_email": "ana@example.com"}, "User with email ana@example.com already exists"),
        ({"sso_user_id": "s-1"}, "User with sso_user_id s-1 already exists"),
    ],
)
def test_of_many_creations_one_holds(same: dict[str, str], message: str) -> None:
    answers = at_once(persistently(lambda _: new(**same)), range(MANY))
    refused = [answer for answer in answers if isinstance(answer, DialectError)]
    # Who was told that the store did not answer, and asked again, may find his own user.
    assert MANY - 1 <= len(refused) <= MANY
    assert {(error.status, error.message) for error in refused} == {(409, message)}
    assert len([item for item in all_items() if item["kind"] == "user"]) == 1
    assert total() == 1


def test_nobody_is_lost_and_all_are_counted() -> None:
    build.organization()
    names = [f"user-{number}" for number in range(MANY)]
    at_once(persistently(lambda name: new(user_id=name, organizations=["org_acme"])), names)
    page = call("GET", "/user/list", query={"sort_by": "user_id", "page_size": "100"}).body
    assert [user["user_id"] for user in page["users"]] == sorted(names)
    assert all(user["organizations"] == ["org_acme"] for user in page["users"])
    gone = names[: MANY // 2]
    at_once(persistently(lambda name: users.delete(ADMIN, UserIds(user_ids=[name]))), gone)
    assert total() == MANY - len(gone)
    left = {item["user_id"] for item in all_items() if item["kind"] in {"user", "membership"}}
    assert left == set(names) - set(gone)


def test_no_change_is_lost() -> None:
    new(user_id="ana")
    changes: list[dict[str, Any]] = [
        {"max_budget": 5},
        {"rpm_limit": 7},
        {"user_alias": "Ana"},
        {"models": ["fast"]},
        {"user_email": "ana@example.com"},
        {"allowed_model_region": "eu"},
    ]
    change = persistently(lambda one: users.update(ADMIN, ChangeUser.model_validate({"user_id": "ana", **one})))
    at_once(change, changes)
    row = call("GET", "/v2/user/info", query={"user_id": "ana"}).body
    assert {name: row[name] for one in changes for name in one} == {name: one[name] for one in changes for name in one}


def test_who_is_changed_while_he_is_deleted_is_gone_all_the_same() -> None:
    names = [f"user-{number}" for number in range(8)]
    for name in names:
        new(user_id=name, user_email=f"{name}@example.com")

    def act(name: str | None) -> Any:
        if name is None:
            return users.delete(ADMIN, UserIds(user_ids=names))
        return users.update(ADMIN, ChangeUser.model_validate({"user_id": name, "rpm_limit": 7}))

    answers = at_once(persistently(act), [None, *names])
    assert answers[0] == len(names)
    assert all(isinstance(answer, users.UserUpdated | DialectError) for answer in answers[1:])
    assert total() == 0
    assert not [item for item in all_items() if item["kind"] in {"user", "user_email"}]
