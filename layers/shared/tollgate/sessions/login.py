"""The first owner, logins and passwords (contract 1.8, Q-32)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from pydantic import SecretStr

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth import tokens
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import ActorKind, Origin, Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import (
    BlockedError,
    InvalidRequestError,
    RateLimitedError,
    RefusedRequestError,
    UnauthenticatedError,
)
from tollgate.sessions import repository
from tollgate.sessions.model import ChangePassword, LoggedIn, LogIn, Message, Session, SetUp, SetupStatus
from tollgate.settings import settings
from tollgate.table.transactions import Work, retried
from tollgate.users import admins, passwords
from tollgate.users import repository as users
from tollgate.users.access import authorize_over
from tollgate.users.admin_model import AdminRole, AdminUserAnswer
from tollgate.users.model import User, UserRole
from tollgate.users.service import event_of

# Passwords that may be tried for one e-mail address, right ones not counted.
ATTEMPTS = 10
WINDOW = timedelta(minutes=15)
_ME = "me"
# Of a password that nobody has: what is compared where there is no user or no password, so that it takes as long.
_DECOY = passwords.hashed(SecretStr(secrets.token_hex()))
_LONGEST_USER_AGENT = 500


@dataclass(frozen=True, slots=True)
class LoginService:
    """What leads to a session, or ends all of a user's."""

    clock: Clock = utc_now

    def status(self) -> SetupStatus:
        has_users = users.has_admins()
        return SetupStatus(needs_setup=not has_users, has_users=has_users)

    def set_up(self, origin: Origin, request: SetUp) -> LoggedIn:
        """The first owner, logged in at once. Raises RefusedRequestError if there is an admin user already."""
        now = self.clock()
        user = admins.new_admin(request.email, request.display_name, UserRole.PLATFORM_OWNER, now)
        user = replace(user, last_login=now)
        caller = _caller(user, origin)
        work = Work()
        users.create(work, user, request.metadata, caller.actor, first=True)
        users.set_password(work, user.user_id, passwords.hashed(request.password))
        after = {"email": user.email, "display_name": user.display_name, "role": AdminRole.OWNER.value}
        audit.append(work, event_of(caller, user, "set_up", now, after=after))
        token = _begin(work, user, origin, now)
        work.commit()
        return _logged_in(token, user, request.metadata)

    def log_in(self, origin: Origin, request: LogIn) -> LoggedIn:
        """A new session. Raises UnauthenticatedError for a wrong e-mail address or password, without telling which,
        BlockedError for a user who is switched off, and RateLimitedError after too many wrong ones.
        """
        return retried(lambda: self._log_in(origin, request))

    def _log_in(self, origin: Origin, request: LogIn) -> LoggedIn:
        now = self.clock()
        self._take_attempt(request.email, now)
        user = users.find_by_email(request.email)
        password_hash = users.password_hash_of(user.user_id) if user is not None else None
        if not passwords.matches(request.password, password_hash or _DECOY) or user is None:
            raise UnauthenticatedError("Wrong e-mail address or password", code="invalid_login")
        expired = user.access_expires_at is not None and user.access_expires_at <= now
        if not user.is_active or expired:
            raise BlockedError("User", user.user_id)
        work = Work()
        users.logged_in(work, user, now)
        repository.forget_attempts(work, request.email)
        audit.append(work, _event(_caller(user, origin), "session.created", user, now))
        token = _begin(work, user, origin, now)
        work.commit()
        return _logged_in(token, replace(user, last_login=now), users.metadata_of(user.user_id))

    def change_password(self, caller: Principal, user_id: str, request: ChangePassword) -> Message:
        """Sets a password and ends all of the user's sessions. ``me`` is the caller.

        Whoever changes his own gives the current one: InvalidRequestError without it, RefusedRequestError for a wrong
        one.
        """
        retried(lambda: self._change_password(caller, user_id, request))
        return Message(message="Password changed successfully")

    def _change_password(self, caller: Principal, user_id: str, request: ChangePassword) -> None:
        authorize(caller, Action.ACCOUNT_OWN)
        now = self.clock()
        if caller.user_id is not None and user_id in {_ME, caller.user_id}:
            user = users.find(caller.user_id)
            if user is None:
                raise UnauthenticatedError
            self._check_current(user, request, now)
        else:
            authorize(caller, Action.USER_WRITE)
            user = admins.find(user_id)
            authorize_over(caller, user.role)
        event = event_of(caller, user, "password_changed", now)
        work = Work()
        users.end_sessions(work, user, event)
        users.set_password(work, user.user_id, passwords.hashed(request.new_password))
        if user.email is not None:
            repository.forget_attempts(work, user.email)
        audit.append(work, event)
        work.commit()

    def _check_current(self, user: User, request: ChangePassword, now: datetime) -> None:
        if request.current_password is None:
            raise InvalidRequestError("current_password is required for one's own", param="current_password")
        self._take_attempt(user.email or user.user_id, now)
        if not passwords.matches(request.current_password, users.password_hash_of(user.user_id) or _DECOY):
            raise RefusedRequestError("Current password is incorrect", param="current_password")

    def _take_attempt(self, email: str, now: datetime) -> None:
        """The same for known and unknown addresses, so that it tells nobody which are known."""
        wait = repository.attempt(email, now, ATTEMPTS, WINDOW)
        if wait:
            message = f"Too many login attempts; try again in {wait} seconds"
            raise RateLimitedError(message, retry_after=wait, kind="requests", reset_at=None)


def _begin(work: Work, user: User, origin: Origin, now: datetime) -> str:
    """A session in the transaction; its token."""
    token_id = secrets.token_urlsafe(32)
    repository.create(
        work,
        Session(
            session_id=tokens.session_id_of(token_id),
            user_id=user.user_id,
            user_uid=user.uid,
            epoch=user.session_epoch,
            is_revoked=False,
            created_at=now,
            expires_at=now + tokens.LIFETIME,
            ip_address=origin.ip_address,
            user_agent=(origin.user_agent or "")[:_LONGEST_USER_AGENT] or None,
        ),
    )
    return tokens.issue(user.user_id, token_id, now, settings().session_secret)


def _logged_in(token: str, user: User, metadata: dict[str, object]) -> LoggedIn:
    seconds = int(tokens.LIFETIME.total_seconds())
    return LoggedIn(access_token=token, expires_in=seconds, user=AdminUserAnswer.of(user, metadata=metadata))


def _caller(user: User, origin: Origin) -> Principal:
    """Whom the audit log names: whoever set up or logged in."""
    return Principal(
        actor=user.user_id,
        kind=ActorKind.USER,
        user_id=user.user_id,
        ip_address=origin.ip_address,
        request_id=origin.request_id,
    )


def _event(caller: Principal, action: str, user: User, at: datetime) -> AuditEvent:
    return AuditEvent(caller=caller, action=action, resource_type="user", resource_id=user.user_id, at=at)


@cache
def login_service() -> LoginService:
    return LoginService()
