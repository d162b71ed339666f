"""Who is behind a session, and its end. Every request that comes with a token asks here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import UnauthenticatedError
from tollgate.sessions import repository
from tollgate.sessions.model import Message
from tollgate.table.transactions import Work
from tollgate.teams import roles
from tollgate.users import repository as users
from tollgate.users.admin_model import AdminRole, AdminUserAnswer


@dataclass(frozen=True, slots=True)
class SessionService:
    """``caller`` is whoever came with the session, or with any other credential of a user."""

    clock: Clock = utc_now

    def principal(self, session_id: str) -> Principal:
        """The caller behind a session, if it still counts.

        Session, user and memberships are read strongly consistent. Raises UnauthenticatedError for a session that is
        unknown, over or ended, and for a user who is gone, switched off or past his date.
        """
        session, now = repository.find(session_id), self.clock()
        if session is None or session.is_revoked or session.expires_at <= now:
            raise UnauthenticatedError
        user = users.find(session.user_id)
        if user is None or user.uid != session.user_uid or user.session_epoch != session.epoch:
            raise UnauthenticatedError
        if not user.is_active or (user.access_expires_at is not None and user.access_expires_at <= now):
            raise UnauthenticatedError
        held = roles.of_user(user)
        return Principal(
            actor=user.user_id,
            kind=ActorKind.USER,
            platform_role=held.platform,
            organization_roles=held.organizations,
            team_roles=held.teams,
            user_id=user.user_id,
            session_id=session_id,
        )

    def log_out(self, caller: Principal) -> Message:
        """Ends the caller's session, from the next request on. Whoever came with a key has none, and keeps the key."""
        authorize(caller, Action.ACCOUNT_OWN)
        if caller.session_id is not None:
            event = AuditEvent(
                caller=caller,
                action="session.ended",
                resource_type="user",
                resource_id=caller.actor,
                at=self.clock(),
            )
            work = Work()
            repository.revoke(work, caller.session_id)
            audit.append(work, event)
            work.commit()
        return Message(message="Logged out successfully")

    def me(self, caller: Principal) -> AdminUserAnswer:
        """The user who calls; the master key as an owner without an account (Q-41)."""
        authorize(caller, Action.ACCOUNT_OWN)
        if caller.user_id is None:
            return _master_key(caller)
        user = users.find(caller.user_id)
        if user is None:
            raise UnauthenticatedError
        return AdminUserAnswer.of(user, metadata=users.metadata_of(user.user_id))


def _master_key(caller: Principal) -> AdminUserAnswer:
    return AdminUserAnswer(
        user_id=caller.actor,
        email=None,
        display_name="Master key",
        role=AdminRole.OWNER if caller.platform_role is Role.PLATFORM_OWNER else None,
        is_active=True,
        created_at=None,
        last_login=None,
        metadata={},
    )


@cache
def session_service() -> SessionService:
    return SessionService()
