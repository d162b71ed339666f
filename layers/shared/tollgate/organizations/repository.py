"""Organizations in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tollgate.audit import repository as audit
from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError, NotFoundError, TollgateError, WrongStateError
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits import repository as limits
from tollgate.limits.account import AccountSettings, LimitMode
from tollgate.limits.account_items import attributes_of, settings_of
from tollgate.limits.model import NO_LIMITS, Scope
from tollgate.organizations.items import OrganizationItem
from tollgate.organizations.model import Organization, OrganizationStatus, Rollover, ShareChange
from tollgate.table import keys, object_permissions
from tollgate.table.base import GSI1
from tollgate.table.metadata import MetadataItem
from tollgate.table.transactions import Work


def find(organization_id: str) -> Organization | None:
    item = OrganizationItem.find(keys.organization(organization_id), keys.ENTITY)
    return _organization(item) if item else None


def metadata_of(organization_id: str) -> dict[str, Any]:
    return MetadataItem.read(keys.organization(organization_id))


def metadata_of_all(organization_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """That of many by their ids, read in batches; of those that have any."""
    places = {keys.organization(organization_id): organization_id for organization_id in organization_ids}
    return {places[pk]: metadata for pk, metadata in MetadataItem.read_all(places).items()}


def object_permission_of(organization_id: str) -> dict[str, Any]:
    """LiteLLM's lists of what it may use beside models, empty if it has none."""
    return object_permissions.read(keys.organization(organization_id))


def search(request: PageRequest, text: str | None, status: OrganizationStatus | None) -> Page[Organization]:
    """A page in order of creation, newest first. ``text`` is looked for in id and name, case-insensitively (Q-28)."""
    wanted = text.casefold() if text else None

    def matches(item: OrganizationItem) -> bool:
        named = wanted is None or wanted in item.organization_id.casefold() or wanted in item.name.casefold()
        return named and (status is None or item.status == status) and not item.deleting

    page = OrganizationItem.page(
        keys.ORGANIZATIONS,
        request,
        scope=f"organizations|{wanted}|{status}",
        index=GSI1,
        newest_first=True,
        matches=matches,
    )
    return Page([_organization(item) for item in page.entries], page.next_cursor, page.truncated)


def create(organization: Organization, metadata: dict[str, Any], permission: dict[str, Any], event: AuditEvent) -> None:
    pk = keys.organization(organization.organization_id)
    created_at = clock.to_stored(organization.created_at)
    work = Work()
    work.create(
        OrganizationItem(
            PK=pk,
            SK=keys.ENTITY,
            GSI1PK=keys.ORGANIZATIONS,
            GSI1SK=keys.by_creation(created_at, organization.organization_id),
            kind="organization",
            organization_id=organization.organization_id,
            uid=organization.uid,
            name=organization.name,
            status=organization.status.value,
            created_at=created_at,
            created_by=event.caller.actor,
            updated_at=created_at,
            updated_by=event.caller.actor,
            has_account=organization.has_account,
            limits=organization.limits if organization.limits != NO_LIMITS else None,
            tags=list(organization.tags),
            rollover=organization.rollover.value,
            blocked=organization.blocked,
            object_permission_id=organization.object_permission_id,
            **access_attributes(organization.models, organization.model_aliases),
            **attributes_of(organization.account, organization.uid),
        ),
        otherwise=AlreadyExistsError(
            f"Organization ID already exists: '{organization.organization_id}'", code="organization_exists"
        ),
    )
    work.put(MetadataItem.of(pk, metadata))
    if permission:
        object_permissions.write(work, pk, permission)
    limits.relink(work, NO_LIMITS, organization.limits)
    audit.append(work, event)
    work.commit()


def update(
    organization: Organization,
    changes: dict[str, Any],
    metadata: dict[str, Any] | None,
    event: AuditEvent,
    permission: dict[str, Any] | None = None,
) -> None:
    """Writes the changed attributes; raises LostRaceError if somebody else changed the organization meanwhile.

    ``metadata`` and ``permission`` are replaced unless they are None.
    """
    work = Work()
    change(work, organization, changes, event)
    if changes.get("account_items", 1) > organization.account_items:
        limits.add_shards(work, counted(organization), changes["account_items"])
    pk = keys.organization(organization.organization_id)
    if metadata is not None:
        work.put(MetadataItem.of(pk, metadata))
    if permission is not None:
        object_permissions.write(work, pk, permission)
    audit.append(work, event)
    work.commit()


def access_attributes(models: Sequence[str] | None, aliases: Mapping[str, str]) -> dict[str, Any]:
    """The attributes that say which models its calls may use, and by what other names."""
    return {
        "model_access": "all" if models is None else "listed",
        "models": list(models or ()),
        "model_aliases": dict(aliases) or None,
    }


def counted(organization: Organization) -> limits.Owner:
    """The organization as the owner of its counters."""
    identity = {"organization_id": organization.organization_id, "organization_uid": organization.uid}
    return limits.Owner(Scope.ORGANIZATION, organization.organization_id, organization.uid, identity)


def change(work: Work, organization: Organization, changes: dict[str, Any], event: AuditEvent) -> None:
    """Changes attributes; the transaction loses the race if somebody else changed the organization meanwhile."""
    item = _handle(organization)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    if "limits" in changes:
        limits.relink(work, organization.limits, changes["limits"])
        changes = changes | {"limits": changes["limits"] if changes["limits"] != NO_LIMITS else None}
    work.update(item, item.changes(changes | stamp))


def account_changes(organization: Organization, settings: AccountSettings) -> dict[str, Any]:
    """The attributes that say so. An account that may go below zero exists before it has credits."""
    exists = organization.has_account or settings.limit_mode is not LimitMode.HARD
    return attributes_of(settings, organization.uid) | {"has_account": exists}


def close(work: Work, organization: Organization, event: AuditEvent, *, force: bool = False) -> None:
    """The first step of its end: no team can be created, every key of it is unknown from now on.

    Loses the race if it was changed since it was read, or, unless ``force``, has active teams by then.
    """
    item = _handle(organization)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    idle = None if force else OrganizationItem.active_team_count == 0
    work.update(item, item.changes({"deleting": True} | stamp), idle)


def delete(work: Work, organization: Organization) -> None:
    """Removes the organization's own items; its teams are gone by now."""
    item = _handle(organization)
    work.delete(item, (OrganizationItem.uid == organization.uid) & (OrganizationItem.team_count == 0), versioned=True)
    work.delete(MetadataItem(PK=item.PK, SK=keys.METADATA))
    if organization.object_permission_id is not None:
        object_permissions.write(work, item.PK, {})
    limits.unlink(work, [organization.limits])


def require(work: Work, organization_id: str, uid: str | None, *, otherwise: TollgateError) -> None:
    """Makes the transaction fail if the very organization is gone, or going, by then."""
    work.check(
        OrganizationItem(PK=keys.organization(organization_id), SK=keys.ENTITY),
        (OrganizationItem.uid == uid) & (OrganizationItem.deleting == False),  # noqa: E712
        otherwise=otherwise,
    )


def count_teams(  # noqa: PLR0913
    work: Work,
    organization_id: str | None,
    uid: str | None,
    *,
    teams: int = 0,
    active: int = 0,
    allocated: Decimal | int = 0,
    leaving: bool = False,
    has_account: bool | None = None,
    end_grace: bool = False,
    share: ShareChange | None = None,
) -> None:
    """Moves the organization's counters in the transaction that changes one of its teams (none: nothing to count).

    An organization that is being deleted takes no new team, no team that becomes active and no credits: only teams that
    are ``leaving`` count there. ``has_account`` and ``end_grace`` are of its own account, which has credits from now:
    a transaction writes an item only once. So is ``share``, what becomes of the parts of its budget; it makes the
    transaction lose its race if the organization was changed since it was read.
    """
    if organization_id is None:
        return
    same = OrganizationItem.uid == uid
    gone = WrongStateError(f"Organization '{organization_id}' is being deleted", code="organization_deleting")
    item = OrganizationItem(PK=keys.organization(organization_id), SK=keys.ENTITY)
    work.update(
        item if share is None else _handle(share.organization),
        [
            OrganizationItem.team_count.add(teams),
            OrganizationItem.active_team_count.add(active),
            OrganizationItem.total_credits_allocated.add(Decimal(allocated)),
            *([OrganizationItem.has_account.set(has_account)] if has_account is not None else []),
            *([OrganizationItem.grace_until.remove()] if end_grace else []),
            *(_share_actions(share) if share is not None else []),
        ],
        same if leaving else same & (OrganizationItem.deleting == False),  # noqa: E712
        otherwise=gone if share is None else None,
        versioned=share is not None,
    )


def count_owners(work: Work, organization_id: str, uid: str, change: int) -> None:
    """Moves the number of the organization's owners by 1 with a membership; WrongStateError for the last one's end."""
    same = (OrganizationItem.uid == uid) & (OrganizationItem.deleting == False)  # noqa: E712
    last = WrongStateError(f"Organization '{organization_id}' must keep an owner", code="last_owner")
    work.update(
        OrganizationItem(PK=keys.organization(organization_id), SK=keys.ENTITY),
        [OrganizationItem.owner_count.add(change)],
        same & (OrganizationItem.owner_count > 1) if change < 0 else same,
        otherwise=last if change < 0 else NotFoundError(f"Organization '{organization_id}' not found"),
        versioned=False,
    )


def set_share(work: Work, share: ShareChange) -> None:
    """Writes what becomes of the parts of a budget, where nothing else of the organization changes."""
    work.update(_handle(share.organization), _share_actions(share))


def _share_actions(share: ShareChange) -> list[Any]:
    return [
        OrganizationItem.allocated_total.set(share.allocated_total),
        OrganizationItem.spent_shares.set(dict(share.spent_shares)),
    ]


def _handle(organization: Organization) -> OrganizationItem:
    """The item's key and version: what a conditional write needs."""
    return OrganizationItem(
        PK=keys.organization(organization.organization_id), SK=keys.ENTITY, version=organization.version
    )


def _organization(item: OrganizationItem) -> Organization:
    return Organization(
        organization_id=item.organization_id,
        uid=item.uid,
        name=item.name,
        status=OrganizationStatus(item.status),
        blocked=item.blocked,
        deleting=item.deleting,
        team_count=item.team_count,
        active_team_count=item.active_team_count,
        total_credits_allocated=item.total_credits_allocated,
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        version=item.version,
        has_account=item.has_account,
        account=settings_of(item),
        limits=item.limits or NO_LIMITS,
        tags=tuple(str(tag) for tag in item.tags),
        rollover=Rollover(item.rollover),
        allocated_total=item.allocated_total,
        spent_shares=item.spent_shares or {},
        owner_count=item.owner_count,
        account_shards=item.account_shards,
        account_items=item.account_items,
        models=tuple(str(entry) for entry in item.models) if item.model_access == "listed" else None,
        model_aliases=item.model_aliases or {},
        object_permission_id=item.object_permission_id,
        created_by=item.created_by,
        updated_by=item.updated_by,
    )
