"""What passwords cost, and what tokens are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from tollgate.auth import tokens
from tollgate.auth.credentials import is_session_token, new_key
from tollgate.core.errors import UnauthenticatedError
from tollgate.sessions import login
from tollgate.users import passwords

SECRET = "a-secret-of-at-least-thirty-two-bytes"
NOW = datetime.now(UTC)


def test_a_password_is_hashed_as_recommended_and_so_is_the_decoy() -> None:
    stored = passwords.hashed(SecretStr("correct horse"))
    costs = "$argon2id$v=19$m=19456,t=2,p=1"
    assert [stored.rsplit("$", 2)[0], login._DECOY.rsplit("$", 2)[0]] == [costs, costs]
    assert passwords.matches(SecretStr("correct horse"), stored)
    assert not passwords.matches(SecretStr("wrong horse"), stored)
    assert passwords.hashed(SecretStr("correct horse")) != stored


def test_a_token_is_known_by_its_form() -> None:
    token = tokens.issue("ana", "id", NOW, SECRET)
    assert is_session_token(token)
    for other in (new_key(), "", "eyJ", "a.b.c", token + "\n", token + ".x", token.rpartition(".")[0]):
        assert not is_session_token(other)


def test_a_genuine_token() -> None:
    claims = tokens.identify(tokens.issue("ana", "id", NOW, SECRET), SECRET)
    assert claims == tokens.Claims("ana", tokens.session_id_of("id"))


def test_a_token_of_a_machine_that_is_ahead() -> None:
    assert tokens.identify(tokens.issue("ana", "id", NOW + timedelta(seconds=90), SECRET), SECRET).user_id == "ana"


GOOD = {"iss": "tollgate", "sub": "ana", "jti": "id", "iat": NOW, "exp": NOW + timedelta(hours=1)}


@pytest.mark.parametrize(
    ("claims", "secret", "algorithm"),
    [
        (GOOD, SECRET + "x", "HS256"),
        (GOOD, SECRET * 2, "HS512"),
        (GOOD, "", "none"),
        (GOOD | {"exp": NOW - timedelta(seconds=1)}, SECRET, "HS256"),
        (GOOD | {"iss": "somebody"}, SECRET, "HS256"),
        (GOOD | {"sub": None}, SECRET, "HS256"),
        *(({name: value for name, value in GOOD.items() if name != left_out}, SECRET, "HS256") for left_out in ("iss", "sub", "jti", "exp")),
    ],
)  # fmt: skip
def test_a_token_that_is_not_ours(claims: dict[str, Any], secret: str, algorithm: str) -> None:
    forged = jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, algorithm)
    with pytest.raises(UnauthenticatedError):
        tokens.identify(forged, SECRET)


def test_a_token_that_was_changed() -> None:
    head, body, signature = tokens.issue("ana", "id", NOW, SECRET).split(".")
    _, other_body, _ = tokens.issue("eve", "id", NOW, SECRET).split(".")
    for changed in (f"{head}.{other_body}.{signature}", f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}", "a.b.c"):
        with pytest.raises(UnauthenticatedError):
            tokens.identify(changed, SECRET)
