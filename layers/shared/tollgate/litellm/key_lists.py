"""Lists of keys in the dialect (contract litellm 1.6, 2.4): whose keys the caller sees, page by page (Q-27, Q-28)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tollgate.auth.policy import Action, Owner, has_role
from tollgate.auth.principal import Principal, Role
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.core.pagination import MAX_CANDIDATES
from tollgate.keys import repository as keys
from tollgate.keys.access import caller_as_user, is_of, owner_of
from tollgate.keys.management import key_management
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.keys.repository import Links
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.key_requests import id_of
from tollgate.litellm.key_rows import TokenRow, fields
from tollgate.organizations import access as organization_access
from tollgate.teams import access as team_access
from tollgate.tenants import spending

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
    """Where keys are listed, newest first: by links that all count, or one by one."""

    found: Iterable[VirtualKey] = ()
    links: Links | None = None

    def all(self) -> Iterator[VirtualKey]:
        if self.links is None:
            return iter(self.found)
        return keys.find_all(self.links.ids())


def listed(caller: Principal, query: KeyQuery) -> KeyPage:
    """A page of the keys that the caller sees. Raises the contract's 403 for those of others."""
    source = _source(caller, query)
    first = (query.page - 1) * query.size
    if source.links is not None and not _is_filtered(query) and query.sort_by in {None, "created_at"} and _falls(query):
        total = source.links.count(MAX_CANDIDATES)
        last = min(first + query.size, MAX_CANDIDATES)
        page = list(keys.find_all(islice(source.links.ids(), min(first, last), last)))
    else:
        found = [key for key in islice(source.all(), MAX_CANDIDATES) if _matches(key, query)]
        total = len(found)
        page = _sorted(found, query)[first : first + query.size]
    pages = -(-total // query.size)
    return KeyPage(keys=_shown(page, query), total_count=total, current_page=query.page, total_pages=pages)


def aliases(caller: Principal, query: AliasQuery) -> AliasPage:
    """The aliases of the keys that the caller sees, by name."""
    source = _source(caller, KeyQuery(team_id=query.team_id))
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


def _source(caller: Principal, query: KeyQuery) -> _Source:
    """The narrowest list that has what is asked for, if the caller may see it."""
    revoked = query.status == "deleted"
    everywhere = has_role(caller, Action.KEY_LIST, Owner())
    if query.key_hash:
        return _Source(_one(caller, id_of(query.key_hash)))
    if query.team_id:
        return _Source(_of_team(caller, query.team_id))
    if query.user_id:
        user = caller_as_user(caller)
        own = (key for key in keys.all_of_user(query.user_id) if everywhere or is_of(user, key))
        if not everywhere and query.user_id != caller.user_id:
            raise _denied("another user's")
        return _Source(own)
    if query.organization_id:
        return _Source(links=_of_organization(caller, query.organization_id, revoked=revoked))
    if everywhere:
        return _Source(links=keys.links(everywhere=True, revoked=revoked))
    return _Source(_own(caller, query))


def _one(caller: Principal, key_id: str) -> Iterator[VirtualKey]:
    key = keys.find(key_id)
    if key is None:
        return iter([])
    seen = has_role(caller, Action.KEY_LIST, owner_of(key)) or is_of(caller_as_user(caller), key)
    return iter([key] if seen or key_id == caller.key_id else [])


def _of_team(caller: Principal, team_id: str) -> Iterator[VirtualKey]:
    try:
        team = team_access.reachable(caller, team_id, Action.KEY_LIST)
    except (NotFoundError, ForbiddenError):
        raise _denied("this team's") from None
    return keys.all_of_team(team.uid)


def _of_organization(caller: Principal, organization_id: str, *, revoked: bool) -> Links:
    try:
        organization = organization_access.reachable(caller, organization_id, Action.KEY_LIST)
    except (NotFoundError, ForbiddenError):
        raise _denied("this organization's") from None
    return keys.links(organization.uid, revoked=revoked)


def _own(caller: Principal, query: KeyQuery) -> Iterator[VirtualKey]:
    """A user's own keys, and if wanted those of the teams that he manages; of a key that is nobody's only itself."""
    user = caller_as_user(caller)
    if user is None:
        key = keys.find(caller.key_id) if caller.key_id is not None else None
        return iter([key] if key is not None else [])
    found = (key for key in keys.all_of_user(user.user_id) if is_of(user, key))
    if not query.include_team_keys:
        return found
    managed = [team_id for team_id, role in caller.team_roles if role is Role.TEAM_ADMIN]
    teams = (key for team_id in managed for key in _of_team(caller, team_id) if not is_of(user, key))
    return chain(found, teams)


def _is_filtered(query: KeyQuery) -> bool:
    return any((query.key_alias, query.search, query.user_id, query.team_id))


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
