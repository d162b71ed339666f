"""Teams in the table. Takes and gives domain objects; no other module sees the items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition

from tollgate.audit.model import AuditEvent
from tollgate.core import clock
from tollgate.core.errors import AlreadyExistsError, NotFoundError
from tollgate.core.pagination import Page, PageRequest
from tollgate.limits import repository as limits
from tollgate.limits.account import CreditsSource
from tollgate.limits.account_items import attributes_of, settings_of
from tollgate.limits.model import NO_LIMITS
from tollgate.table import keys, object_permissions, totals
from tollgate.table.base import GSI1, GSI2
from tollgate.table.metadata import MetadataItem
from tollgate.table.totals import Total
from tollgate.table.transactions import Work
from tollgate.teams.items import TeamItem
from tollgate.teams.model import BudgetMode, ModelAccess, Team, TeamStatus


def find(team_id: str) -> Team | None:
    item = TeamItem.find(keys.team(team_id), keys.ENTITY)
    return _team(item) if item else None


def find_all(team_ids: Iterable[str]) -> dict[str, Team]:
    """The teams that there are among these, by id."""
    places = [(keys.team(team_id), keys.ENTITY) for team_id in dict.fromkeys(team_ids)]
    return {item.team_id: _team(item) for item in TeamItem.batch_get(places, consistent_read=True)}


def metadata_of(team_id: str) -> dict[str, Any]:
    return MetadataItem.read(keys.team(team_id))


def object_permission_of(team_id: str) -> dict[str, Any]:
    return object_permissions.read(keys.team(team_id))


def archived(uids: Iterable[str]) -> dict[str, tuple[Team, dict[str, Any]]]:
    """The copies of deleted teams with their metadata, by uid; of those that have one."""
    pks = [keys.deletion(uid) for uid in uids]
    items = TeamItem.batch_get([(pk, keys.ARCHIVE) for pk in pks], consistent_read=True)
    metadata = MetadataItem.read_all(pks)
    return {item.uid: (_team(item), metadata.get(item.PK, {})) for item in items}


def metadata_of_all(team_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """That of many by their ids, read in batches; of those that have any."""
    places = {keys.team(team_id): team_id for team_id in team_ids}
    return {places[pk]: metadata for pk, metadata in MetadataItem.read_all(places).items()}


def search(request: PageRequest, text: str | None = None, status: TeamStatus | None = None) -> Page[Team]:
    """A page of the platform's teams, newest first. ``text`` is looked for in id and alias (Q-28)."""
    return _page(keys.TEAMS, GSI2, request, text, status)


def search_organization(
    organization_uid: str | None, request: PageRequest, text: str | None = None, status: TeamStatus | None = None
) -> Page[Team]:
    """A page of an organization's teams, newest first; None: of those that have no organization (Q-03)."""
    return _page(keys.teams_of(organization_uid), GSI1, request, text, status)


def total() -> Total:
    """How many teams there are."""
    return totals.read(keys.TEAMS)


def total_without_organization() -> Total:
    return totals.read(keys.teams_of(None))


def every() -> Iterator[Team]:
    """The platform's teams, newest first, teams that are being deleted included."""
    yield from (_team(item) for item in TeamItem.all_of(keys.TEAMS, index=GSI2, newest_first=True))


def all_of_organization(organization_uid: str | None, *, newest_first: bool = False) -> Iterator[Team]:
    """Every team of an organization, or of none, oldest first, teams that are being deleted included."""
    found = TeamItem.all_of(keys.teams_of(organization_uid), index=GSI1, newest_first=newest_first)
    yield from (_team(item) for item in found)


def _page(partition: str, index: str, request: PageRequest, text: str | None, status: TeamStatus | None) -> Page[Team]:
    wanted = text.casefold() if text else None

    def matches(item: TeamItem) -> bool:
        names = (item.team_id, item.team_alias or "")
        named = wanted is None or any(wanted in name.casefold() for name in names)
        return named and (status is None or item.status == status) and not item.deleting

    page = TeamItem.page(
        partition, request, scope=f"teams|{wanted}|{status}", index=index, newest_first=True, matches=matches
    )
    return Page([_team(item) for item in page.entries], page.next_cursor, page.truncated)


def create(
    work: Work, team: Team, metadata: dict[str, Any], created_by: str, permission: dict[str, Any] | None = None
) -> None:
    """Adds the team's own items to the transaction of its creation."""
    pk = keys.team(team.team_id)
    position = keys.by_creation(clock.to_stored(team.created_at), team.team_id)
    work.create(
        TeamItem(
            PK=pk,
            SK=keys.ENTITY,
            GSI1PK=keys.teams_of(team.organization_uid),
            GSI1SK=position,
            GSI2PK=keys.TEAMS,
            GSI2SK=position,
            kind="team",
            **_attributes(team, created_by),
        ),
        otherwise=AlreadyExistsError(f"Team '{team.team_id}' already exists", code="team_exists"),
    )
    work.put(MetadataItem.of(pk, metadata))
    if permission:
        object_permissions.write(work, pk, permission)
    limits.relink(work, NO_LIMITS, team.limits)
    _count(work, team.team_id, team.organization_uid, 1)


def _count(work: Work, team_id: str, organization_uid: str | None, change: int, *, moves: bool = False) -> None:
    """Moves the totals of the lists that the team is in; that of its organization is the organization's own."""
    names = [] if moves else [keys.TEAMS]
    for name in [*names, keys.teams_of(None)] if organization_uid is None else names:
        totals.count(work, name, team_id, change)


def _attributes(team: Team, created_by: str) -> dict[str, Any]:
    created_at = clock.to_stored(team.created_at)
    return {
        "team_id": team.team_id,
        "uid": team.uid,
        "organization_id": team.organization_id,
        "organization_uid": team.organization_uid,
        "team_alias": team.team_alias,
        "status": team.status.value,
        "blocked": team.blocked,
        "model_access": team.model_access.value,
        "team_member_permissions": _texts(team.team_member_permissions),
        "object_permission_id": team.object_permission_id,
        "member_budget_id": team.member_budget_id,
        "member_key_duration": team.member_key_duration,
        "default_member_models": list(team.default_member_models),
        "model_aliases": dict(team.model_aliases) or None,
        "access_groups": list(team.access_groups),
        "models": list(team.models),
        "default_model": team.default_model,
        "budget_mode": team.budget_mode.value,
        "credits_per_dollar": team.credits_per_dollar,
        "tokens_per_credit": team.tokens_per_credit,
        "cost_markup_percentage": team.cost_markup_percentage,
        "credit_price_usd": team.credit_price_usd,
        "charge_failed_jobs": team.charge_failed_jobs,
        "credits_source": team.credits_source.value,
        "key_id": team.key_id,
        "key_mask": team.key_mask,
        "created_at": created_at,
        "created_by": created_by,
        "updated_at": created_at,
        "updated_by": created_by,
        **attributes_of(team.account, team.uid),
        **_limited(team),
    }


def update(  # noqa: PLR0913, PLR0917
    work: Work,
    team: Team,
    changes: dict[str, Any],
    metadata: dict[str, Any] | None,
    event: AuditEvent,
    permission: dict[str, Any] | None = None,
) -> None:
    """Changes attributes; the transaction loses the race if somebody else changed the team meanwhile."""
    item = TeamItem(PK=keys.team(team.team_id), SK=keys.ENTITY, version=team.version)
    stamp = {"updated_at": clock.to_stored(event.at), "updated_by": event.caller.actor}
    if "limits" in changes:
        limits.relink(work, team.limits, changes["limits"])
        changes = changes | {"limits": changes["limits"] if changes["limits"] != NO_LIMITS else None}
    work.update(item, item.changes(changes | stamp))
    if metadata is not None:
        work.put(MetadataItem.of(item.PK, metadata))
    if permission is not None:
        object_permissions.write(work, item.PK, permission)


def moved(work: Work, team: Team, organization_id: str | None, organization_uid: str | None) -> dict[str, Any]:
    """The attributes of the team when it belongs to that organization, or to none."""
    _count(work, team.team_id, team.organization_uid, -1, moves=True)
    _count(work, team.team_id, organization_uid, 1, moves=True)
    return {
        "organization_id": organization_id,
        "organization_uid": organization_uid,
        "GSI1PK": keys.teams_of(organization_uid),
    }


def account_changes(team: Team) -> dict[str, Any]:
    """The attributes that say who pays for the team, and how its account behaves."""
    return attributes_of(team.account, team.uid) | {"credits_source": team.credits_source.value}


def note_first_call(team_id: str, uid: str, at: datetime) -> None:
    """Writes down when the very team made its first call, unless that is known or the team is gone."""
    unknown = (TeamItem.uid == uid) & TeamItem.first_call_at.does_not_exist()
    TeamItem(PK=keys.team(team_id), SK=keys.ENTITY).note({"first_call_at": clock.to_stored(at)}, unknown)


def require(work: Work, team: Team) -> None:
    """Makes the transaction fail if the very team is gone, or going, or in another organization, by then."""
    item, present = _present(team)
    uid = team.organization_uid
    same = TeamItem.organization_uid == uid if uid is not None else TeamItem.organization_uid.does_not_exist()
    work.check(item, present & same, otherwise=_missing(team))


def end_grace(work: Work, team: Team) -> None:
    """Its account has credits again; requires the team as well."""
    item, present = _present(team)
    work.update(item, [TeamItem.grace_until.remove()], present, otherwise=_missing(team), versioned=False)


def _limited(team: Team) -> dict[str, Any]:
    limits_of_team = team.limits if team.limits != NO_LIMITS else None
    return {"limits": limits_of_team, "tags": list(team.tags), "allocated_budget": team.allocated_budget}


def _present(team: Team) -> tuple[TeamItem, Condition]:
    item = TeamItem(PK=keys.team(team.team_id), SK=keys.ENTITY)
    return item, (TeamItem.uid == team.uid) & (TeamItem.deleting == False)  # noqa: E712


def _missing(team: Team) -> NotFoundError:
    return NotFoundError(f"Team '{team.team_id}' not found")


def delete(work: Work, team: Team, archived_by: str | None = None) -> None:
    """Removes the team's own items; nothing else may have changed it since it was read.

    ``archived_by``: who deletes it, where a copy is to stay beside the record of its deletion.
    """
    if archived_by is not None:
        pk = keys.deletion(team.uid)
        # Nothing becomes due any more for what is only remembered.
        attributes = _attributes(team, archived_by) | {"DUEPK": None, "DUESK": None}
        work.put(TeamItem(PK=pk, SK=keys.ARCHIVE, kind="deleted_team", **attributes))
        work.put(MetadataItem.of(pk, metadata_of(team.team_id)))
    item = TeamItem(PK=keys.team(team.team_id), SK=keys.ENTITY, version=team.version)
    work.delete(item, versioned=True)
    work.delete(MetadataItem(PK=item.PK, SK=keys.METADATA))
    if team.object_permission_id is not None:
        object_permissions.write(work, item.PK, {})
    limits.unlink(work, [team.limits])
    _count(work, team.team_id, team.organization_uid, -1)
    if team.member_budget_id is not None:
        limits.give_up(work, team.member_budget_id)


def _texts(values: Iterable[str] | None) -> list[str] | None:
    return list(values) if values is not None else None


def _team(item: TeamItem) -> Team:
    return Team(
        team_id=item.team_id,
        uid=item.uid,
        organization_id=item.organization_id,
        organization_uid=item.organization_uid,
        team_alias=item.team_alias,
        status=TeamStatus(item.status),
        status_reason=item.status_reason,
        blocked=item.blocked,
        deleting=item.deleting,
        access_groups=tuple(str(name) for name in item.access_groups),
        budget_mode=BudgetMode(item.budget_mode),
        credits_per_dollar=item.credits_per_dollar,
        tokens_per_credit=item.tokens_per_credit,
        cost_markup_percentage=item.cost_markup_percentage,
        key_id=item.key_id,
        key_mask=item.key_mask,
        created_at=clock.from_stored(item.created_at),
        updated_at=clock.from_stored(item.updated_at),
        version=item.version,
        credits_source=CreditsSource(item.credits_source),
        account=settings_of(item),
        limits=item.limits or NO_LIMITS,
        tags=tuple(str(tag) for tag in item.tags),
        allocated_budget=item.allocated_budget,
        account_shards=item.account_shards,
        account_items=item.account_items,
        first_call_at=clock.from_stored(item.first_call_at) if item.first_call_at else None,
        models=tuple(str(alias) for alias in item.models),
        default_model=item.default_model,
        credit_price_usd=item.credit_price_usd,
        charge_failed_jobs=item.charge_failed_jobs,
        model_access=ModelAccess(item.model_access),
        team_member_permissions=(
            tuple(str(route) for route in item.team_member_permissions)
            if item.team_member_permissions is not None
            else None
        ),
        object_permission_id=item.object_permission_id,
        member_budget_id=item.member_budget_id,
        member_key_duration=item.member_key_duration,
        default_member_models=tuple(str(alias) for alias in item.default_member_models),
        model_aliases=item.model_aliases or {},
    )
