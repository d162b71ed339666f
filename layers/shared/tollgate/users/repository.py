"""Users in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from pynamodb.expressions.condition import Condition

from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError, RefusedRequestError, TollgateError, WrongStateError
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits import repository as limits
from tollgate.limits.model import NO_LIMITS, Limits
from tollgate.table import keys, object_permissions, totals
from tollgate.table.base import GSI1, GSI2
from tollgate.table.metadata import MetadataItem
from tollgate.table.totals import Total
from tollgate.table.transactions import Work
from tollgate.users.items import AdminCountItem, GuardItem, PasswordItem, UserItem
from tollgate.users.model import User, UserRole


def find(user_id: str) -> User | None:
    item = UserItem.find(keys.user(user_id), keys.ENTITY)
    return _user(item) if item and not item.deleting else None


def find_all(user_ids: Iterable[str]) -> dict[str, User]:
    """The users that there are among these, by id."""
    places = [(keys.user(user_id), keys.ENTITY) for user_id in dict.fromkeys(user_ids)]
    found = UserItem.batch_get(places, consistent_read=True)
    return {item.user_id: _user(item) for item in found if not item.deleting}


def find_closed(user_id: str) -> tuple[User, str] | None:
    """A user who is gone for everybody while something of his is left, and who did that."""
    item = UserItem.find(keys.user(user_id), keys.ENTITY)
    return (_user(item), item.closed_by or "") if item and item.deleting else None


def closed(now: datetime, most: int) -> list[str]:
    """Ids of those users whom somebody has to finish with, the oldest first, by the sparse index."""
    found = UserItem.due.query(keys.USER_REMOVALS, clock.to_stored(now) >= UserItem.DUESK, limit=most)
    return [unquote(item.PK.removeprefix(keys.user(""))) for item in found]


def find_by_email(email: str) -> User | None:
    """The user who has the address, whatever its case (Q-41)."""
    guard = GuardItem.find(keys.email(email.lower()), keys.ENTITY)
    return find(guard.user_id) if guard else None


def find_by_sso(sso_user_id: str) -> User | None:
    guard = GuardItem.find(keys.sso_id(sso_user_id), keys.ENTITY)
    return find(guard.user_id) if guard else None


def metadata_of(user_id: str) -> dict[str, Any]:
    return MetadataItem.read(keys.user(user_id))


def metadata_of_all(user_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """That of many by their ids, read in batches; of those that have any."""
    places = {keys.user(user_id): user_id for user_id in user_ids}
    return {places[pk]: metadata for pk, metadata in MetadataItem.read_all(places).items()}


def object_permission_of(user_id: str) -> dict[str, Any]:
    return object_permissions.read(keys.user(user_id))


def total() -> Total:
    """How many users there are."""
    return totals.read(keys.USERS)


def every() -> Iterator[User]:
    """All users, newest first."""
    yield from (_user(item) for item in UserItem.all_of(keys.USERS, index=GSI1, newest_first=True))


def every_admin() -> Iterator[User]:
    """The users with a platform role, newest first."""
    yield from (_user(item) for item in UserItem.all_of(keys.ADMIN_USERS, index=GSI2, newest_first=True))


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


def create(  # noqa: PLR0913
    work: Work,
    user: User,
    metadata: dict[str, Any],
    created_by: str,
    permission: dict[str, Any] | None = None,
    *,
    first: bool = False,
) -> None:
    """Adds a new user to the transaction; AlreadyExistsError if id, e-mail or the identity provider's id are taken.

    ``first``: RefusedRequestError unless nobody has a platform role by then.
    """
    pk, created_at = keys.user(user.user_id), clock.to_stored(user.created_at)
    work.create(
        UserItem(
            PK=pk,
            SK=keys.ENTITY,
            GSI1PK=keys.USERS,
            GSI1SK=_position(user),
            kind="user",
            user_id=user.user_id,
            uid=user.uid,
            last_login=clock.to_stored(user.last_login) if user.last_login else None,
            created_at=created_at,
            created_by=created_by,
            updated_at=created_at,
            updated_by=created_by,
            **_settings(user),
        ),
        otherwise=AlreadyExistsError(f"User '{user.user_id}' already exists", code="user_exists"),
    )
    _guard(work, None, user)
    work.put(MetadataItem.of(pk, metadata))
    if permission:
        object_permissions.write(work, pk, permission)
    limits.relink(work, NO_LIMITS, user.limits)
    totals.count(work, keys.USERS, user.user_id, 1)
    _count(work, None, user, first=first)


def update(  # noqa: PLR0913, PLR0917
    work: Work,
    user: User,
    after: User,
    metadata: dict[str, Any] | None,
    event: AuditEvent,
    permission: dict[str, Any] | None = None,
) -> None:
    """Changes what may be changed of a user; a lost race if somebody else changed him since he was read as ``user``.

    Raises AlreadyExistsError at the commit for an e-mail address or an identity provider's id of somebody else,
    WrongStateError if no active owner would be left.
    """
    item = _handle(user)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    work.update(item, item.changes(_settings(after) | stamp))
    _guard(work, user, after)
    if metadata is not None:
        work.put(MetadataItem.of(item.PK, metadata))
    if permission is not None:
        object_permissions.write(work, item.PK, permission)
    limits.relink(work, user.limits, after.limits)
    _count(work, user, after)


def close(work: Work, user: User, event: AuditEvent, due: datetime) -> None:
    """Ends a user for everybody: out of all lists, his address and SSO id free; ``due`` is when somebody finishes it.

    A lost race if he was changed meanwhile. Raises WrongStateError at the commit if no active owner would be left.
    """
    item = _handle(user)
    nowhere = dict.fromkeys(("GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK"))
    state = {"is_active": False, "deleting": True, "session_epoch": user.session_epoch + 1}
    schedule = {"closed_by": event.caller.actor, "DUEPK": keys.USER_REMOVALS, "DUESK": clock.to_stored(due)}
    work.update(item, item.changes(nowhere | state | schedule))
    _guard(work, user, None)
    totals.count(work, keys.USERS, user.user_id, -1)
    _count(work, user, None)


def delete(work: Work, user: User) -> None:
    """Removes a closed user with his password and counter; a lost race if somebody else did.

    ``limits.unlink`` is the caller's, who removes his memberships with him.
    """
    pk = keys.user(user.user_id)
    work.delete(_handle(user), versioned=True)
    work.delete(MetadataItem(PK=pk, SK=keys.METADATA))
    work.delete(PasswordItem(PK=pk, SK=keys.PASSWORD))
    if user.object_permission_id is not None:
        object_permissions.write(work, pk, {})
    limits.forget_counter(work, user.uid)


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


def _position(user: User) -> str:
    return keys.by_creation(clock.to_stored(user.created_at), user.user_id)


def _settings(user: User) -> dict[str, Any]:
    """What may change of a user, as attributes; None for those that are to be absent. The index follows from it."""
    return {
        "GSI2PK": keys.ADMIN_USERS if user.is_admin else None,
        "GSI2SK": _position(user) if user.is_admin else None,
        **{name: getattr(user, name) for name in _SAME},
        "role": user.role.value,
        "access_expires_at": clock.to_stored(user.access_expires_at) if user.access_expires_at else None,
        "model_access": "all" if user.models is None else "listed",
        "models": list(user.models or ()),
        "allowed_cache_controls": list(user.allowed_cache_controls),
        "limits": user.limits if user.limits != NO_LIMITS else None,
    }


_SAME = (
    "email",
    "display_name",
    "is_active",
    "session_epoch",
    "sso_user_id",
    "allowed_model_region",
    "allowed_model_max_input_tokens",
    "allowed_model_max_output_tokens",
    "object_permission_id",
)


def _guard(work: Work, before: User | None, after: User | None) -> None:
    """Moves what only one user may have from what he had to what he has."""
    had, has = _held(before), _held(after)
    for pk in had.keys() - has.keys():
        work.delete(GuardItem(PK=pk, SK=keys.ENTITY))
    for pk in has.keys() - had.keys():
        kind, taken = has[pk]
        guard = GuardItem(PK=pk, SK=keys.ENTITY, kind=kind, user_id=after.user_id if after is not None else "")
        work.create(guard, otherwise=taken)


def _held(user: User | None) -> dict[str, tuple[str, AlreadyExistsError]]:
    """Where the guards of a user lie, of what kind they are, and what is said where they are somebody else's."""
    held: dict[str, tuple[str, AlreadyExistsError]] = {}
    if user is not None and user.email is not None:
        message = f"User with email '{user.email}' already exists"
        taken = AlreadyExistsError(message, code="email_exists")
        held[keys.email(user.email)] = "user_email", taken
    if user is not None and user.sso_user_id is not None:
        message = f"User with sso_user_id '{user.sso_user_id}' already exists"
        taken = AlreadyExistsError(message, code="sso_user_id_exists")
        held[keys.sso_id(user.sso_user_id)] = "user_sso_id", taken
    return held


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
    update(work, user, replace(user, limits=after), None, event)


def require(work: Work, user: User, *, otherwise: TollgateError) -> None:
    """Makes the transaction fail if the very user is gone by then."""
    same = (UserItem.uid == user.uid) & (UserItem.deleting == False)  # noqa: E712
    work.check(UserItem(PK=keys.user(user.user_id), SK=keys.ENTITY), same, otherwise=otherwise)


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
        sso_user_id=item.sso_user_id,
        allowed_model_region=item.allowed_model_region,
        allowed_model_max_input_tokens=item.allowed_model_max_input_tokens,
        allowed_model_max_output_tokens=item.allowed_model_max_output_tokens,
        object_permission_id=item.object_permission_id,
        allowed_cache_controls=tuple(str(one) for one in item.allowed_cache_controls),
    )
