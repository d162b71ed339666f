"""Logins of tests: tokens as the authorizer would tell of them, for handlers that are called without it."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from tests.support.api import MASTER, NOBODY, Answer, call
from tollgate.auth import tokens
from tollgate.settings import settings

PASSWORD = "correct horse"


def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost next to nothing: what they have to cost has a test of its own."""
    from tollgate.sessions import login
    from tollgate.users import passwords

    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(login, "_DECOY", passwords.hashed(SecretStr("nobody's")))


def log_in(email: str, password: str = PASSWORD, **more: Any) -> Answer:
    """The answer of the login."""
    return call("POST", "/api/admin-users/login", {"email": email, "password": password}, caller=NOBODY, **more)


def session(email: str, password: str = PASSWORD) -> dict[str, str]:
    """A new session, as what the authorizer says about its token."""
    answer = log_in(email, password)
    assert answer.status == 200, answer.text
    return caller(answer.body["access_token"])


def session_of(user_id: str) -> dict[str, str]:
    """A session of a user who has no password, as what the authorizer says about its token."""
    from tollgate.auth.principal import Origin
    from tollgate.core.clock import utc_now
    from tollgate.sessions import login
    from tollgate.table.transactions import Work
    from tollgate.users import repository

    user = repository.find(user_id)
    assert user is not None
    work = Work()
    token = login._begin(work, user, Origin(), utc_now())
    work.commit()
    return caller(token)


def caller(token: str) -> dict[str, str]:
    """What the authorizer says about a token, whatever the time: tests have a clock of their own."""
    import jwt

    claims = jwt.decode(token, settings().session_secret, algorithms=["HS256"], options={"verify_exp": False})
    session_id = tokens.session_id_of(claims["jti"])
    return MASTER | {"kind": "session", "session_id": session_id, "user_id": claims["sub"]}
