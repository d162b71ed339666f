"""Sessions and attempts to log in, in the table."""

from __future__ import annotations

from datetime import datetime, timedelta

from pynamodb.exceptions import UpdateError

from tollgate.core import clock
from tollgate.sessions.items import AttemptsItem, SessionItem
from tollgate.sessions.model import Session
from tollgate.table import keys
from tollgate.table.transactions import Work

_CONDITION_FAILED = "ConditionalCheckFailedException"


def find(session_id: str) -> Session | None:
    item = SessionItem.find(keys.session(session_id), keys.ENTITY)
    return _session(item) if item else None


def create(work: Work, session: Session) -> None:
    work.create(
        SessionItem(
            PK=keys.session(session.session_id),
            SK=keys.ENTITY,
            kind="session",
            session_id=session.session_id,
            user_id=session.user_id,
            user_uid=session.user_uid,
            epoch=session.epoch,
            ip_address=session.ip_address,
            user_agent=session.user_agent,
            created_at=clock.to_stored(session.created_at),
            expires_at=clock.to_stored(session.expires_at),
            ttl=int(session.expires_at.timestamp()),
        )
    )


def revoke(work: Work, session_id: str) -> None:
    """Ends a session; a lost race if it is gone."""
    item = SessionItem(PK=keys.session(session_id), SK=keys.ENTITY)
    work.update(item, item.changes({"is_revoked": True}), SessionItem.PK.exists(), versioned=False)


def attempt(email: str, now: datetime, most: int, window: timedelta) -> int:
    """Takes one of ``most`` attempts that an address has in a window: 0, or the seconds until there are more.

    It is taken before a password is looked at, so guesses that come at once do not get past the count.
    """
    moment, length = int(now.timestamp()), int(window.total_seconds())
    item = AttemptsItem(PK=keys.login_attempts(email), SK=keys.ENTITY)
    over = AttemptsItem.PK.does_not_exist() | (AttemptsItem.since <= moment - length)
    begin = {"attempts": 1, "since": moment, "ttl": moment + length, "kind": "login_attempts"}
    if _write(item, item.changes(begin), over) or _write(
        item, [AttemptsItem.attempts.add(1)], AttemptsItem.attempts < most
    ):
        return 0
    found = AttemptsItem.find(item.PK, item.SK)
    return max(1, found.since + length - moment) if found else 1


def forget_attempts(work: Work, email: str) -> None:
    """The next attempts of an address begin anew."""
    work.delete(AttemptsItem(PK=keys.login_attempts(email), SK=keys.ENTITY))


def _write(item: AttemptsItem, actions: list[object], condition: object) -> bool:
    try:
        item.update(actions, condition)  # type: ignore[arg-type]
    except UpdateError as error:
        if error.cause_response_code == _CONDITION_FAILED:
            return False
        raise
    return True


def _session(item: SessionItem) -> Session:
    return Session(
        session_id=item.session_id,
        user_id=item.user_id,
        user_uid=item.user_uid,
        epoch=item.epoch,
        is_revoked=item.is_revoked,
        created_at=clock.from_stored(item.created_at),
        expires_at=clock.from_stored(item.expires_at),
        ip_address=item.ip_address,
        user_agent=item.user_agent,
    )
