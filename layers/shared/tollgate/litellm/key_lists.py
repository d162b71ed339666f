"""Lists of keys in the dialect (contract litellm 1.6, 2.4): whose keys the caller sees, page by page (Q-27, Q-28)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action, Owner, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.core.numbered import NumberedPages
from tollgate.core.pagination import MAX_CANDIDATES
from tollgate.keys import repository as keys
from tollgate.keys.access import caller_as_user, is_of, owner_of
from tollgate.keys.management import key_management
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.keys.repository import ActiveOfTeam, Links
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.key_requests import id_of
from tollgate.litellm.key_rows import TokenRow, fields
from tollgate.organizations import access as organization_access
from tollgate.teams import access as team_access
from tollgate.teams import permissions
from tollgate.teams import repository as teams
from tollgate.teams.model import Team
from tollgate.tenants import spending
from tollgate.users.model import User

PAGES = NumberedPages()
# What is spent has to be reckoned for every key that is sorted by it.
_MOST_BY_SPEND = 1000
_Text = Annotated[str | None, Field(max_length=1024)]


class KeyQuery(BaseModel):
    """Query of ``/key/list``."""

    page: Annotated[int, Field(ge=1)] = 1
    size: Annotated[int, Field(ge=1, le=100)] = 10
    user_id: _Text = None
    team_id: _Text = None
    organization_id: _Text = None
    key_hash: _Text = None
    key_alias: _Text = None
    search: _Text = None
    substring_matching: bool = False
    return_full_object: bool = False
    include_team_keys: bool = False
    sort_by: Literal["spend", "max_budget", "created_at", "updated_at", "token", "key_alias"] | None = None
    sort_order: Literal["asc", "desc"] = "desc"
    status: Literal["deleted"] | None = None


class AliasQuery(BaseModel):
    """Query of ``/key/aliases``."""

    page: Annotated[int, Field(ge=1)] = 1
    size: Annotated[int, Field(ge=1, le=100)] = 50
    search: _Text = None
    team_id: _Text = None


class KeyPage(DialectRow):
    """Hashes, or whole rows where they were asked for."""

    keys: list[str] | list[TokenRow]
    total_count: int
    current_page: int
    total_pages: int


class AliasPage(DialectRow):
    aliases: list[str]
    total_count: int
    current_page: int
    total_pages: int
    size: int


@dataclass(frozen=True, slots=True)
class _Source:
    """Where keys are listed, newest first: a list that is counted and has pages, or one by one."""

    found: Iterable[VirtualKey] = ()
    counted: Links | ActiveOfTeam | None = None

    def all(self) -> Iterator[VirtualKey]:
        return iter(self.found) if self.counted is None else self.counted.all()


def listed(caller: Principal, query: KeyQuery) -> KeyPage:
    """A page of the keys that the caller sees. Raises the contract's 403 for those of others."""
    source = _source(caller, query, "/key/list")
    first = (query.page - 1) * query.size
    if (
        source.counted is not None
        and not _is_filtered(query)
        and query.sort_by in {None, "created_at"}
        and _falls(query)
    ):
        known = source.counted.total()
        total, state = known.number, (source.counted.partition, known.moves)
        page = PAGES.entries(source.counted.page, state, query.page, query.size) if first < total else []
    else:
        found = [key for key in islice(source.all(), MAX_CANDIDATES) if _matches(key, query)]
        total = len(found)
        page = _sorted(found, query)[first : first + query.size]
    pages = -(-total // query.size)
    return KeyPage(keys=_shown(page, query), total_count=total, current_page=query.page, total_pages=pages)


def aliases(caller: Principal, query: AliasQuery) -> AliasPage:
    """The aliases of the keys that the caller sees, by name."""
    source = _source(caller, KeyQuery(team_id=query.team_id), "/key/aliases")
    wanted = (query.search or "").lower()
    active = (key for key in islice(source.all(), MAX_CANDIDATES) if key.status is KeyStatus.ACTIVE)
    names = sorted({key.key_alias for key in active if key.key_alias is not None and wanted in key.key_alias.lower()})
    first = (query.page - 1) * query.size
    return AliasPage(
        aliases=names[first : first + query.size],
        total_count=len(names),
        current_page=query.page,
        total_pages=-(-len(names) // query.size),
        size=query.size,
    )


def _source(caller: Principal, query: KeyQuery, route: str) -> _Source:
    """The narrowest list that has what is asked for, if the caller may see it."""
    revoked = query.status == "deleted"
    everywhere = has_role(caller, Action.KEY_LIST, Owner())
    if query.key_hash:
        return _Source(_one(caller, id_of(query.key_hash)))
    if query.team_id:
        uid = _of_team(caller, query.team_id, route).uid
        return _Source(keys.all_of_team(uid)) if revoked else _Source(counted=ActiveOfTeam(uid))
    if query.user_id:
        user = caller_as_user(caller)
        own = (key for key in keys.all_of_user(query.user_id) if everywhere or is_of(user, key))
        if not everywhere and query.user_id != caller.user_id:
            raise _denied("another user's")
        return _Source(own)
    if query.organization_id:
        return _Source(counted=_of_organization(caller, query.organization_id, revoked=revoked))
    if everywhere:
        return _Source(counted=keys.links(everywhere=True, revoked=revoked))
    return _Source(_own(caller, query))


def _one(caller: Principal, key_id: str) -> Iterator[VirtualKey]:
    key = keys.find(key_id)
    if key is None:
        return iter([])
    seen = has_role(caller, Action.KEY_LIST, owner_of(key)) or is_of(caller_as_user(caller), key)
    return iter([key] if seen or key_id == caller.key_id else [])


def _of_team(caller: Principal, team_id: str, route: str) -> Team:
    """The team whose keys the caller sees: by a role, or because it grants ``route`` to its members (contract 2.5)."""
    try:
        return team_access.reachable(caller, team_id, Action.KEY_LIST)
    except (NotFoundError, ForbiddenError):
        team = teams.find(team_id)
        if team is None or team.deleting or not permissions.permits(caller, team, route):
            raise _denied("this team's") from None
        return team


def _of_organization(caller: Principal, organization_id: str, *, revoked: bool) -> Links:
    try:
        organization = organization_access.reachable(caller, organization_id, Action.KEY_LIST)
    except (NotFoundError, ForbiddenError):
        raise _denied("this organization's") from None
    return keys.links(organization.uid, revoked=revoked)


def _own(caller: Principal, query: KeyQuery) -> Iterator[VirtualKey]:
    """A user's own keys, and if wanted those of his teams; of a key that is nobody's only itself."""
    user = caller_as_user(caller)
    if user is None:
        key = keys.find(caller.key_id) if caller.key_id is not None else None
        return iter([key] if key is not None else [])
    found = (key for key in keys.all_of_user(user.user_id) if is_of(user, key))
    if not query.include_team_keys:
        return found
    names = dict.fromkeys(team_id for team_id, _ in caller.team_roles)
    return chain(found, *(_of_own_team(caller, user, team_id) for team_id in names))


def _of_own_team(caller: Principal, user: User, team_id: str) -> Iterator[VirtualKey]:
    """Others' keys in a team of the caller: all if he manages it or it shows them to its members, else nobody's."""
    team = teams.find(team_id)
    if team is None or team.deleting:
        return
    sees_all = has_role(caller, Action.KEY_LIST, Owner(team.organization_id, team_id))
    sees_all = sees_all or permissions.permits(caller, team, "/key/list")
    for key in keys.all_of_team(team.uid):
        if not is_of(user, key) and (sees_all or key.user_id is None):
            yield key


def _is_filtered(query: KeyQuery) -> bool:
    return any((query.key_alias, query.search, query.user_id, query.team_id and query.organization_id))


def _falls(query: KeyQuery) -> bool:
    return query.sort_order == "desc"


def _matches(key: VirtualKey, query: KeyQuery) -> bool:
    if key.status is not (KeyStatus.REVOKED if query.status == "deleted" else KeyStatus.ACTIVE):
        return False
    wanted = {"user_id": query.user_id, "team_id": query.team_id, "organization_id": query.organization_id}
    if any(value and getattr(key, name) != value for name, value in wanted.items()):
        return False
    alias = key.key_alias or ""
    if query.key_alias and not query.substring_matching and alias != query.key_alias:
        return False
    texts = (query.key_alias if query.substring_matching else None, query.search)
    return all(not text or text.lower() in alias.lower() or text.lower() == key.key_id for text in texts)


def _sorted(found: list[VirtualKey], query: KeyQuery) -> list[VirtualKey]:
    """Newest first where nothing else is said; what has no such value comes last, whichever way."""
    name = query.sort_by or "created_at"
    values = _values(found, name)
    with_value = [(value, key) for value, key in zip(values, found, strict=True) if value is not None]
    ordered = sorted(with_value, key=lambda pair: pair[0], reverse=query.sort_order == "desc")
    return [key for _, key in ordered] + [key for value, key in zip(values, found, strict=True) if value is None]


def _values(found: list[VirtualKey], name: str) -> list[Any]:
    if name == "spend":
        if len(found) > _MOST_BY_SPEND:
            raise DialectError(400, f"More than {_MOST_BY_SPEND} keys cannot be sorted by spend; filter them first")
        spends = spending.of_all([spending.key_spender(key) for key in found], key_management().clock())
        return [spend.spend for spend in spends]
    if name == "max_budget":
        return [key.limits.max_budget for key in found]
    return [getattr(key, "key_id" if name == "token" else name) for key in found]


def _shown(page: list[VirtualKey], query: KeyQuery) -> list[str] | list[TokenRow]:
    if not query.return_full_object:
        return [key.key_id for key in page]
    rows = zip(page, fields(page), strict=True)
    return [TokenRow.model_validate(row | {"token": key.key_id}) for key, row in rows]


def _denied(whose: str) -> DialectError:
    return DialectError(403, f"You are not authorized to check {whose} keys", kind="bad_request_error")
