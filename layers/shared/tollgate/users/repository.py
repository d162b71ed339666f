"""Users in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError, TollgateError
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits import repository as limits
from tollgate.limits.model import NO_LIMITS, Limits
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.table.metadata import MetadataItem
from tollgate.table.transactions import Work
from tollgate.users.items import EmailItem, UserItem
from tollgate.users.model import User, UserRole


def find(user_id: str) -> User | None:
    item = UserItem.find(keys.user(user_id), keys.ENTITY)
    return _user(item) if item else None


def find_by_email(email: str) -> User | None:
    """The user who has the address, whatever its case (Q-41)."""
    guard = EmailItem.find(keys.email(email.lower()), keys.ENTITY)
    return find(guard.user_id) if guard else None


def metadata_of(user_id: str) -> dict[str, Any]:
    return MetadataItem.read(keys.user(user_id))


def search(request: PageRequest, text: str | None = None) -> Page[User]:
    """A page of users, newest first. ``text`` is looked for in id, e-mail and name (Q-28)."""
    wanted = text.casefold() if text else None

    def matches(item: UserItem) -> bool:
        names = (item.user_id, item.email or "", item.display_name or "")
        return any((wanted or "") in name.casefold() for name in names)

    page = UserItem.page(
        keys.USERS,
        request,
        scope=f"users|{wanted}",
        index=GSI1,
        newest_first=True,
        matches=matches if wanted else None,
    )
    return Page([_user(item) for item in page.entries], page.next_cursor, page.truncated)


def create(work: Work, user: User, metadata: dict[str, Any], created_by: str) -> None:
    """Adds a new user to the transaction; AlreadyExistsError if id or e-mail are taken."""
    created_at = clock.to_stored(user.created_at)
    work.create(
        UserItem(
            PK=keys.user(user.user_id),
            SK=keys.ENTITY,
            GSI1PK=keys.USERS,
            GSI1SK=keys.by_creation(created_at, user.user_id),
            kind="user",
            user_id=user.user_id,
            uid=user.uid,
            email=user.email,
            display_name=user.display_name,
            role=user.role.value,
            access_expires_at=clock.to_stored(user.access_expires_at) if user.access_expires_at else None,
            model_access="all" if user.models is None else "listed",
            models=list(user.models or ()),
            limits=user.limits if user.limits != NO_LIMITS else None,
            created_at=created_at,
            created_by=created_by,
            updated_at=created_at,
            updated_by=created_by,
        ),
        otherwise=AlreadyExistsError(f"User '{user.user_id}' already exists", code="user_exists"),
    )
    if user.email is not None:
        work.create(
            EmailItem(PK=keys.email(user.email), SK=keys.ENTITY, kind="user_email", user_id=user.user_id),
            otherwise=AlreadyExistsError(f"User with email '{user.email}' already exists", code="email_exists"),
        )
    work.put(MetadataItem.of(keys.user(user.user_id), metadata))
    limits.relink(work, NO_LIMITS, user.limits)


def set_limits(work: Work, user: User, after: Limits, event: AuditEvent) -> None:
    """Changes what the user is limited by; a lost race if somebody else changed him meanwhile."""
    item = UserItem(PK=keys.user(user.user_id), SK=keys.ENTITY, version=user.version)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    work.update(item, item.changes({"limits": after if after != NO_LIMITS else None} | stamp))
    limits.relink(work, user.limits, after)


def require(work: Work, user: User, *, otherwise: TollgateError) -> None:
    """Makes the transaction fail if the very user is gone by then."""
    work.check(UserItem(PK=keys.user(user.user_id), SK=keys.ENTITY), UserItem.uid == user.uid, otherwise=otherwise)


def _user(item: UserItem) -> User:
    return User(
        user_id=item.user_id,
        uid=item.uid,
        email=item.email,
        display_name=item.display_name,
        role=UserRole(item.role),
        is_active=item.is_active,
        access_expires_at=clock.from_stored(item.access_expires_at) if item.access_expires_at else None,
        models=tuple(str(entry) for entry in item.models) if item.model_access == "listed" else None,
        limits=item.limits or NO_LIMITS,
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        version=item.version,
    )
