"""Memberships in the table: a user's place in a team or an organization, one item each, so that no addition is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tollgate.audit.model import AuditEvent
from tollgate.auth.principal import Role
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits import repository as limits
from tollgate.limits.model import NO_LIMITS, Limits, Scope
from tollgate.table import keys
from tollgate.table.base import GSI1
from tollgate.table.transactions import Work
from tollgate.users.items import MembershipItem
from tollgate.users.model import Membership


def find(owner_uid: str, user_uid: str) -> Membership | None:
    """The user's membership in the team or organization of that uid."""
    item = MembershipItem.find(keys.members_of(owner_uid), keys.member(user_uid))
    return _membership(item) if item else None


def members(owner_uid: str, request: PageRequest) -> Page[Membership]:
    """A page of the members of a team or an organization."""
    prefix = MembershipItem.SK.startswith(keys.member())
    page = MembershipItem.page(keys.members_of(owner_uid), request, scope="members", prefix=prefix)
    return Page([_membership(item) for item in page.entries], page.next_cursor)


def all_members(owner_uid: str) -> Iterator[Membership]:
    prefix = MembershipItem.SK.startswith(keys.member())
    yield from (_membership(item) for item in MembershipItem.all_of(keys.members_of(owner_uid), prefix=prefix))


def of_user(user_uid: str, request: PageRequest) -> Page[Membership]:
    """A page of a user's memberships, oldest first."""
    page = MembershipItem.page(keys.memberships_of(user_uid), request, scope="memberships", index=GSI1)
    return Page([_membership(item) for item in page.entries], page.next_cursor)


def all_of_user(user_uid: str) -> Iterator[Membership]:
    """A user's memberships as they stand: found by the index, which shows a new one a moment late, then read again."""
    listed = MembershipItem.all_of(keys.memberships_of(user_uid), index=GSI1)
    places = [(item.PK, item.SK) for item in listed]
    yield from (_membership(item) for item in MembershipItem.batch_get(places, consistent_read=True))


def create(work: Work, membership: Membership, created_by: str) -> None:
    """Adds a member to the transaction; AlreadyExistsError if he is one."""
    created_at = clock.to_stored(membership.created_at)
    message = f"User '{membership.user_id}' is a member of '{membership.owner_id}' already"
    work.create(
        MembershipItem(
            PK=keys.members_of(membership.owner_uid),
            SK=keys.member(membership.user_uid),
            GSI1PK=keys.memberships_of(membership.user_uid),
            GSI1SK=keys.by_creation(created_at, membership.owner_id),
            kind="membership",
            uid=membership.uid,
            scope=membership.scope.value,
            team_id=membership.team_id,
            team_uid=membership.team_uid,
            organization_id=membership.organization_id,
            organization_uid=membership.organization_uid,
            user_id=membership.user_id,
            user_uid=membership.user_uid,
            role=membership.role.value,
            limits=membership.limits if membership.limits != NO_LIMITS else None,
            created_at=created_at,
            created_by=created_by,
            updated_at=created_at,
            updated_by=created_by,
        ),
        otherwise=AlreadyExistsError(message, code="member_exists"),
    )
    limits.relink(work, NO_LIMITS, membership.limits)


def update(work: Work, membership: Membership, role: Role, after: Limits, event: AuditEvent) -> None:
    """Changes role and limits; a lost race if somebody else changed the membership meanwhile."""
    item = _handle(membership)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    changes = {"role": role.value, "limits": after if after != NO_LIMITS else None}
    work.update(item, item.changes(changes | stamp))
    limits.relink(work, membership.limits, after)


def move(  # noqa: PLR0913, PLR0917
    work: Work,
    membership: Membership,
    organization_id: str | None,
    organization_uid: str | None,
    at: datetime,
    moved_by: str,
) -> None:
    """Follows the membership's team to another organization."""
    item = _handle(membership)
    owner = {"organization_id": organization_id, "organization_uid": organization_uid}
    work.update(item, item.changes(owner | {"updated_at": clock.to_stored(at), "updated_by": moved_by}))


def delete(work: Work, membership: Membership) -> None:
    """Removes a member with his counter; ``limits.unlink`` is the caller's, who may remove many at once."""
    work.delete(_handle(membership), versioned=True)
    limits.forget_counter(work, membership.uid)


def _handle(membership: Membership) -> MembershipItem:
    return MembershipItem(
        PK=keys.members_of(membership.owner_uid), SK=keys.member(membership.user_uid), version=membership.version
    )


def _membership(item: MembershipItem) -> Membership:
    return Membership(
        uid=item.uid,
        scope=Scope(item.scope),
        team_id=item.team_id,
        team_uid=item.team_uid,
        organization_id=item.organization_id,
        organization_uid=item.organization_uid,
        user_id=item.user_id,
        user_uid=item.user_uid,
        role=Role(item.role),
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        limits=item.limits or NO_LIMITS,
        version=item.version,
        created_by=item.created_by,
        updated_by=item.updated_by,
    )
