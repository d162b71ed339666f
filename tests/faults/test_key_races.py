"""Keys that meet, on a real engine: an alias is taken once, a key ends once, and lists show what there is."""

from __future__ import annotations

import pytest

from tests.support import build
from tests.support.items import all_items
from tests.support.races import at_once, persistently
from tollgate.core.errors import AlreadyExistsError, NotFoundError, TollgateError
from tollgate.keys import repository
from tollgate.keys.management import key_management
from tollgate.keys.model import KeyChange

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
NAMED = KeyChange({"key_alias": "ci", "unique_alias": True})


def issued(change: KeyChange | None = None) -> str:
    return key_management().issue(ADMIN, change or KeyChange())[1].key_id


def kept(kind: str) -> list[str]:
    return [str(item["key_id"]) for item in all_items() if item["kind"] == kind]


def test_an_alias_is_taken_once() -> None:
    answers = at_once(persistently(lambda _: issued(NAMED)), range(8))

    refusals = [answer for answer in answers if isinstance(answer, TollgateError)]
    assert {(type(one), one.stable_code) for one in refusals} == {(AlreadyExistsError, "key_alias_exists")}
    # Who was told that the store did not answer, and asked again, may find his own key.
    assert len(refusals) in {7, 8}
    (key_id,) = kept("key_alias")
    assert kept("key") == kept("key_link") == [key_id]


def test_an_alias_goes_to_one_of_many_keys() -> None:
    key_ids = [issued() for _ in range(6)]

    answers = at_once(persistently(lambda key_id: key_management().change(ADMIN, key_id, NAMED)), key_ids)

    assert sum(isinstance(answer, AlreadyExistsError) for answer in answers) >= 5
    (guard,) = kept("key_alias")
    assert repository.find_by_alias("ci") == repository.find(guard)
    assert [key_id for key_id in key_ids if repository.find(key_id).key_alias] == [guard]  # type: ignore[union-attr]


def test_a_key_ends_once_whatever_is_done_to_it_meanwhile() -> None:
    """Revoked, changed and given another string at once: one link for each key that is left, none twice."""
    key_id = issued(NAMED)
    manage = key_management()
    actions = [
        lambda: manage.revoke(ADMIN, [key_id]),
        lambda: manage.regenerate(ADMIN, key_id, KeyChange()),
        lambda: manage.change(ADMIN, key_id, KeyChange({"key_alias": "cd", "unique_alias": True})),
        lambda: manage.change(ADMIN, key_id, KeyChange({"blocked": True})),
    ]

    answers = at_once(persistently(lambda action: action()), actions)

    assert all(isinstance(answer, NotFoundError) for answer in answers if isinstance(answer, TollgateError))
    (left,) = kept("key")
    key = repository.find(left)
    assert key is not None
    assert kept("key_link") == [left]
    active = [left] if key.status.value == "active" else []
    assert list(repository.links(everywhere=True).ids()) == active
    assert kept("key_alias") == active
