"""Passwords of users as argon2id hashes."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from pydantic import SecretStr

# 19 MiB, two passes, one lane: OWASP's setting for processors as small as a function's.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hashed(password: SecretStr) -> str:
    """The hash with its own salt and settings, as text."""
    return _HASHER.hash(password.get_secret_value())


def matches(password: SecretStr, password_hash: str) -> bool:
    """Whether it is the password of that hash; takes as long either way."""
    try:
        return _HASHER.verify(password_hash, password.get_secret_value())
    except VerifyMismatchError:
        return False
