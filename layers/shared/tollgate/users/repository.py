"""Users in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition

from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError, RefusedRequestError, TollgateError, WrongStateError
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits import repository as limits
from tollgate.limits.model import NO_LIMITS, Limits
from tollgate.table import keys
from tollgate.table.base import GSI1, GSI2
from tollgate.table.metadata import MetadataItem
from tollgate.table.transactions import Work
from tollgate.users.items import AdminCountItem, EmailItem, PasswordItem, UserItem
from tollgate.users.model import User, UserRole


def find(user_id: str) -> User | None:
    item = UserItem.find(keys.user(user_id), keys.ENTITY)
    return _user(item) if item else None


def find_all(user_ids: Iterable[str]) -> dict[str, User]:
    """The users that there are among these, by id."""
    places = [(keys.user(user_id), keys.ENTITY) for user_id in dict.fromkeys(user_ids)]
    return {item.user_id: _user(item) for item in UserItem.batch_get(places, consistent_read=True)}


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


def admins(request: PageRequest) -> Page[User]:
    """A page of the users with a platform role, newest first."""
    page = UserItem.page(keys.ADMIN_USERS, request, scope="admin users", index=GSI2, newest_first=True)
    return Page([_user(item) for item in page.entries], page.next_cursor)


def has_admins() -> bool:
    """Whether any user has a platform role."""
    count = AdminCountItem.find(keys.ADMIN_USERS, keys.ENTITY)
    return count is not None and count.admins > 0


def create(work: Work, user: User, metadata: dict[str, Any], created_by: str, *, first: bool = False) -> None:
    """Adds a new user to the transaction; AlreadyExistsError if id or e-mail are taken.

    ``first``: RefusedRequestError unless nobody has a platform role by then.
    """
    created_at = clock.to_stored(user.created_at)
    position = keys.by_creation(created_at, user.user_id)
    work.create(
        UserItem(
            PK=keys.user(user.user_id),
            SK=keys.ENTITY,
            GSI1PK=keys.USERS,
            GSI1SK=position,
            GSI2PK=keys.ADMIN_USERS if user.is_admin else None,
            GSI2SK=position if user.is_admin else None,
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
            last_login=clock.to_stored(user.last_login) if user.last_login else None,
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
    _count(work, None, user, first=first)


def update(work: Work, user: User, after: User, metadata: dict[str, Any] | None, event: AuditEvent) -> None:
    """Changes name, role and state; a lost race if somebody else changed the user since he was read as ``user``.

    Raises WrongStateError at the commit if no active owner would be left.
    """
    item = _handle(user)
    position = keys.by_creation(clock.to_stored(user.created_at), user.user_id)
    changes = {
        "GSI2PK": keys.ADMIN_USERS if after.is_admin else None,
        "GSI2SK": position if after.is_admin else None,
        "display_name": after.display_name,
        "role": after.role.value,
        "is_active": after.is_active,
        "session_epoch": after.session_epoch,
        "updated_at": clock.to_stored(event.at),
        "updated_by": event.caller.actor,
    }
    work.update(item, item.changes(changes))
    if metadata is not None:
        work.put(MetadataItem.of(item.PK, metadata))
    _count(work, user, after)


def delete(work: Work, user: User) -> None:
    """Removes a user with his password, e-mail address and counter; a lost race if he was changed meanwhile.

    Raises WrongStateError at the commit if no active owner would be left.
    """
    pk = keys.user(user.user_id)
    work.delete(_handle(user), versioned=True)
    work.delete(MetadataItem(PK=pk, SK=keys.METADATA))
    work.delete(PasswordItem(PK=pk, SK=keys.PASSWORD))
    if user.email is not None:
        work.delete(EmailItem(PK=keys.email(user.email), SK=keys.ENTITY))
    limits.forget_counter(work, user.uid)
    limits.unlink(work, [user.limits])
    _count(work, user, None)


def password_hash_of(user_id: str) -> str | None:
    """None for a user who never got a password, and so cannot log in."""
    item = PasswordItem.find(keys.user(user_id), keys.PASSWORD)
    return item.password_hash if item else None


def set_password(work: Work, user_id: str, password_hash: str) -> None:
    """Puts a password; the user himself is another part of the transaction."""
    item = PasswordItem(PK=keys.user(user_id), SK=keys.PASSWORD, kind="password", password_hash=password_hash)
    work.put(item)


def end_sessions(work: Work, user: User, event: AuditEvent) -> None:
    """Ends every session that the user has by then; a lost race if somebody else changed him meanwhile."""
    item = _handle(user)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    work.update(item, item.changes({"session_epoch": user.session_epoch + 1} | stamp))


def logged_in(work: Work, user: User, at: datetime) -> None:
    """Notes a login; a lost race if the user, his state or his password changed meanwhile."""
    item = _handle(user)
    work.update(item, item.changes({"last_login": clock.to_stored(at)}))


def _handle(user: User) -> UserItem:
    return UserItem(PK=keys.user(user.user_id), SK=keys.ENTITY, version=user.version)


def _count(work: Work, before: User | None, after: User | None, *, first: bool = False) -> None:
    """Moves the numbers of admin users and of active owners; there is always an owner once there was one."""

    def change(counts: Callable[[User], bool]) -> int:
        return sum(counts(user) for user in (after,) if user) - sum(counts(user) for user in (before,) if user)

    admins, owners = change(lambda user: user.is_admin), change(lambda user: user.is_active_owner)
    if not admins and not owners:
        return
    condition: Condition | None = None
    otherwise: TollgateError | None = None
    if first:
        condition = AdminCountItem.PK.does_not_exist() | (AdminCountItem.admins == 0)
        otherwise = RefusedRequestError("Setup has been done already", code="setup_done")
    elif owners < 0:
        condition = AdminCountItem.owners > 1
        otherwise = WrongStateError("The last active owner must stay", code="last_owner")
    actions = [
        AdminCountItem.admins.add(admins),
        AdminCountItem.owners.add(owners),
        AdminCountItem.kind.set("admin_count"),
    ]
    item = AdminCountItem(PK=keys.ADMIN_USERS, SK=keys.ENTITY)
    work.update(item, actions, condition, otherwise=otherwise, versioned=False)


def set_limits(work: Work, user: User, after: Limits, event: AuditEvent) -> None:
    """Changes what the user is limited by; a lost race if somebody else changed him meanwhile."""
    item = _handle(user)
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
        session_epoch=item.session_epoch,
        last_login=clock.from_stored(item.last_login) if item.last_login else None,
        version=item.version,
    )
