"""Logins and admin users who meet, on a real engine: what is counted is counted once, and an owner stays."""

from __future__ import annotations

import pytest

from tests.support import build
from tests.support.items import all_items
from tests.support.races import at_once, persistently
from tests.support.sessions import PASSWORD, cheap_passwords
from tollgate.auth.principal import Origin
from tollgate.core.errors import RateLimitedError, RefusedRequestError, TollgateError, UnauthenticatedError
from tollgate.sessions.login import ATTEMPTS, login_service
from tollgate.sessions.model import ChangePassword, LogIn, SetUp
from tollgate.table.transactions import LostRaceError
from tollgate.tenants.users import user_removal_service
from tollgate.users.admin_model import UpdateAdminUser
from tollgate.users.admins import admin_user_service

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
HERE = Origin()


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_passwords(monkeypatch)


def kept(kind: str) -> int:
    return sum(item["kind"] == kind for item in all_items())


def counted() -> tuple[int, int]:
    (item,) = [item for item in all_items() if item["kind"] == "admin_count"]
    return int(item["admins"]), int(item["owners"])


def test_of_many_who_set_up_one_is_the_first_owner() -> None:
    def set_up(number: int) -> object:
        request = SetUp.model_validate({"email": f"u{number}@example.com", "display_name": "U", "password": PASSWORD})
        return login_service().set_up(HERE, request)

    answers = at_once(persistently(set_up), range(8))

    refusals = [answer for answer in answers if isinstance(answer, TollgateError)]
    assert [(type(one), one.stable_code) for one in refusals] == [(RefusedRequestError, "setup_done")] * 7
    assert counted() == (1, 1)
    assert (kept("user"), kept("session"), kept("password")) == (1, 1, 1)


@pytest.mark.parametrize("way", ["demoted", "switched off", "deleted"])
def test_of_owners_who_remove_each_other_one_stays(way: str) -> None:
    ids = [build.admin_user(f"o{number}@example.com", role="owner")["user_id"] for number in range(6)]
    changes = {"demoted": {"role": "admin"}, "switched off": {"is_active": False}}

    def remove(user_id: str) -> object:
        if way == "deleted":
            return user_removal_service().delete(ADMIN, user_id)
        return admin_user_service().update(ADMIN, user_id, UpdateAdminUser.model_validate(changes[way]))

    answers = at_once(persistently(remove), ids)

    (refusal,) = [answer for answer in answers if isinstance(answer, TollgateError)]
    assert refusal.stable_code == "last_owner"
    assert counted() == (1 if way == "deleted" else 6, 1)


def test_guesses_at_once_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    build.admin_user()

    def guess(number: int) -> object:
        request = LogIn.model_validate({"email": "vera@example.com", "password": f"wrong horse {number}"})
        return login_service().log_in(HERE, request)

    answers = at_once(persistently(guess), range(3 * ATTEMPTS))

    kinds = [type(answer) for answer in answers]
    assert kinds.count(UnauthenticatedError) == ATTEMPTS
    assert kinds.count(RateLimitedError) == 2 * ATTEMPTS


def test_no_session_outlives_a_password_that_changes_while_it_begins() -> None:
    vera = build.admin_user()["user_id"]
    requests = [LogIn.model_validate({"email": "vera@example.com", "password": PASSWORD})] * 4

    def act(request: LogIn | None) -> object:
        if request is not None:
            return login_service().log_in(HERE, request)
        change = ChangePassword.model_validate({"new_password": "another password"})
        return login_service().change_password(ADMIN, vera, change)

    answers = at_once(act, [*requests, None])

    assert not isinstance(answers[-1], TollgateError), answers[-1]
    allowed = (UnauthenticatedError, LostRaceError, RateLimitedError)
    assert all(isinstance(one, allowed) for one in answers if isinstance(one, TollgateError)), answers
    (user,) = [item for item in all_items() if item["kind"] == "user"]
    epochs = {int(item["epoch"]) for item in all_items() if item["kind"] == "session"}
    assert int(user["session_epoch"]) == 1
    assert epochs <= {0}
