"""Sessions as requests, answers and domain objects (contract 1.8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from tollgate.core.fields import Metadata, Name, RequestModel, ResponseModel
from tollgate.users.admin_model import AdminUserAnswer
from tollgate.users.model import Email, Password


@dataclass(frozen=True, slots=True)
class Session:
    """A stored login. ``session_id`` is the SHA-256 of the token's id."""

    session_id: str
    user_id: str
    user_uid: str
    epoch: int
    is_revoked: bool
    created_at: datetime
    expires_at: datetime
    ip_address: str | None = None
    user_agent: str | None = None


class SetupStatus(ResponseModel):
    needs_setup: bool
    has_users: bool


class SetUp(RequestModel):
    email: Email
    display_name: Name
    password: Password
    metadata: Annotated[Metadata, Field(default_factory=dict)]


# What is compared with a password; any length may be wrong, and is then told as every other wrong one.
GivenPassword = Annotated[SecretStr, Field(max_length=256, examples=["correct horse battery staple"])]


class LogIn(RequestModel):
    email: Email
    password: GivenPassword


class LoggedIn(ResponseModel):
    """``access_token`` is sent as ``Authorization: Bearer`` and ends after ``expires_in`` seconds."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 (the kind of token)
    expires_in: int
    user: AdminUserAnswer


class ChangePassword(RequestModel):
    """``current_password`` is asked of whoever changes his own."""

    current_password: GivenPassword | None = None
    new_password: Password


class Message(ResponseModel):
    message: str
