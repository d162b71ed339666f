"""The audit log in the dialect (contract litellm 5, Q-38): the same events, in LiteLLM's words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import BaseModel, Field

from tollgate.audit import repository
from tollgate.audit.model import AuditEntry
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.pagination import MAX_CANDIDATES
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.litellm.key_requests import id_of

# The tables that LiteLLM has for what is changed here, and names like these for the rest.
_TABLES = {
    "organization": "LiteLLM_OrganizationTable",
    "team": "LiteLLM_TeamTable",
    "user": "LiteLLM_UserTable",
    "key": "LiteLLM_VerificationToken",
    "budget": "LiteLLM_BudgetTable",
    "customer": "LiteLLM_EndUserTable",
    "model_alias": "LiteLLM_ProxyModelTable",
    "access_group": "LiteLLM_AccessGroupTable",
    "provider_credential": "LiteLLM_CredentialsTable",
    "project": "LiteLLM_ProjectTable",
}
_MEMBER = "member"
_ORGANIZATION_MEMBERS, _TEAM_MEMBERS = "LiteLLM_OrganizationMembership", "LiteLLM_TeamMembership"
# What stands before the id of a shared budget row, which LiteLLM knows by its id alone.
_SHARED = "shared/"
# What LiteLLM's few actions stand for; every other change is an update.
_ACTIONS = {
    **dict.fromkeys(("created", "issued", "added", "set_up", "registered"), "created"),
    **dict.fromkeys(("deleted", "revoked", "removed", "purged"), "deleted"),
    **dict.fromkeys(("regenerated", "key_rotated"), "rotated"),
}
_BLOCKED = {True: "blocked", False: "unblocked"}
_Text = Annotated[str | None, Field(max_length=1024)]


class AuditQuery(BaseModel):
    """Query of ``/audit``; dates are days in UTC, both included. ``search`` looks into who, what and whose."""

    page: Annotated[int, Field(ge=1)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    changed_by: _Text = None
    changed_by_api_key: _Text = None
    action: Literal["created", "updated", "deleted", "blocked", "unblocked", "rotated"] | None = None
    table_name: _Text = None
    object_id: _Text = None
    object_team_id: _Text = None
    object_key_hash: _Text = None
    start_date: date | None = None
    end_date: date | None = None
    search: _Text = None
    sort_by: Literal["updated_at"] = "updated_at"
    sort_order: Literal["asc", "desc"] = "desc"

    @property
    def plain(self) -> bool:
        """Whether every event is asked for."""
        return not self.model_dump(exclude_none=True, exclude={"page", "page_size", "sort_by", "sort_order"})


class AuditRow(DialectRow):
    id: str
    updated_at: Moment
    changed_by: str
    changed_by_api_key: str | None
    action: str
    table_name: str
    object_id: str
    before_value: dict[str, Any] | None
    updated_values: dict[str, Any] | None


class AuditPage(DialectRow):
    """``total`` counts at most 10,000 events, or those that match among the 10,000 that were looked at (Q-28)."""

    audit_logs: list[AuditRow]
    total: int
    page: int
    page_size: int
    total_pages: int


def page(caller: Principal, query: AuditQuery) -> AuditPage:
    """A page of events, newest first unless the other order is asked for."""
    authorize(caller, Action.AUDIT_READ)
    first = (query.page - 1) * query.page_size
    rows = map(_row, islice(_entries(query), MAX_CANDIDATES))
    if query.plain:
        total = repository.count(MAX_CANDIDATES)
        shown = list(islice(rows, first, first + query.page_size))
    else:
        found = [row for row in rows if _matches(row, query)]
        total = len(found)
        shown = found[first : first + query.page_size]
    return AuditPage(
        audit_logs=shown,
        total=total,
        page=query.page,
        page_size=query.page_size,
        total_pages=-(-total // query.page_size),
    )


def find(caller: Principal, audit_id: str) -> AuditRow:
    """An event by its id."""
    authorize(caller, Action.AUDIT_READ)
    entry = repository.find(audit_id)
    if entry is None:
        raise DialectError(404, f"Audit log with ID {audit_id} not found", quoted=True, member="message")
    return _row(entry)


def _entries(query: AuditQuery) -> Iterator[AuditEntry]:
    first = datetime.combine(query.start_date, time.min, UTC) if query.start_date else None
    last = datetime.combine(query.end_date, time.max, UTC) if query.end_date else None
    return repository.every(first, last, newest_first=query.sort_order == "desc")


def _row(entry: AuditEntry) -> AuditRow:
    record = entry.record
    return AuditRow(
        id=record.audit_id,
        updated_at=record.created_at,
        changed_by=record.user_id,
        changed_by_api_key=entry.key_id,
        action=_action(entry),
        table_name=_table(entry),
        object_id=record.resource_id.removeprefix(_SHARED),
        before_value=record.details.before or None,
        updated_values=record.details.after or None,
    )


def _action(entry: AuditEntry) -> str:
    after = entry.record.details.after
    if after.keys() == {"blocked"}:
        return _BLOCKED[bool(after["blocked"])]
    return _ACTIONS.get(entry.action.partition(".")[2], "updated")


def _table(entry: AuditEntry) -> str:
    kind = entry.record.resource_type
    if kind == _MEMBER:
        owner = unquote(entry.record.resource_id.partition("~")[0])
        return _ORGANIZATION_MEMBERS if owner == entry.record.organization_id else _TEAM_MEMBERS
    return _TABLES.get(kind) or f"Tollgate_{kind.title().replace('_', '')}Table"


def _matches(row: AuditRow, query: AuditQuery) -> bool:
    key = id_of(query.changed_by_api_key) if query.changed_by_api_key else None
    pairs = (
        (query.changed_by, row.changed_by),
        (key, row.changed_by_api_key),
        (query.action, row.action),
        (query.table_name, row.table_name),
        (query.object_id, row.object_id),
    )
    if any(wanted and wanted != actual for wanted, actual in pairs):
        return False
    if query.object_team_id and not _is_of_team(row, query.object_team_id):
        return False
    if query.object_key_hash and not _is_of_key(row, id_of(query.object_key_hash)):
        return False
    text = (query.search or "").casefold()
    return any(text in value.casefold() for value in (row.changed_by, row.object_id, row.table_name, row.action))


def _is_of_team(row: AuditRow, team_id: str) -> bool:
    """Whether it is the team itself, one of its members, or something that is given to it or taken from it."""
    if row.table_name == _TABLES["team"]:
        return row.object_id == team_id
    if row.table_name == _TEAM_MEMBERS:
        return unquote(row.object_id.partition("~")[0]) == team_id
    return any((values or {}).get("team_id") == team_id for values in (row.before_value, row.updated_values))


def _is_of_key(row: AuditRow, key_id: str) -> bool:
    return row.table_name == _TABLES["key"] and row.object_id == key_id
