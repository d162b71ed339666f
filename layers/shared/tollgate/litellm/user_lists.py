"""Lists of users in the dialect (contract litellm 1.5, 2.4): whom the caller sees, page by page (Q-27, Q-28)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from tollgate.auth.policy import PLATFORM, Action, Owner, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.core.numbered import NumberedPages
from tollgate.core.pagination import MAX_CANDIDATES
from tollgate.litellm import user_rows
from tollgate.litellm.api import role_of
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.members import USER_ROLES
from tollgate.litellm.user_requests import GlobalRole
from tollgate.litellm.user_rows import UserRow, seen
from tollgate.organizations import repository as organizations
from tollgate.teams import access as team_access
from tollgate.tenants import spending
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import User
from tollgate.users.service import user_service

# What is spent has to be reckoned for every user that is sorted by it.
_MOST_BY_SPEND = 1000
_Text = Annotated[str | None, Field(max_length=10_000)]
PAGES = NumberedPages()


class UserQuery(BaseModel):
    """Query of ``/user/list``. ``user_ids``, ``sso_user_ids`` and ``organization_ids`` are lists with commas;
    ``user_email`` and ``search`` are parts of a name, whatever their case (Q-28).
    """

    page: Annotated[int, Field(ge=1)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 25
    role: GlobalRole | None = None
    user_ids: _Text = None
    sso_user_ids: _Text = None
    user_email: _Text = None
    team: _Text = None
    organization_ids: _Text = None
    search: _Text = None
    sort_by: Literal["user_id", "user_email", "user_alias", "user_role", "created_at", "updated_at", "spend"] | None = (
        None
    )
    sort_order: Literal["asc", "desc"] = "asc"

    @property
    def is_plain(self) -> bool:
        """Whether the table's own order and number are what is asked for."""
        filters = (self.role, self.user_ids, self.sso_user_ids, self.user_email, self.team, self.organization_ids)
        as_stored = self.sort_by is None or (self.sort_by == "created_at" and self.sort_order == "desc")
        return as_stored and not self.search and not any(filters)


class CountedUser(UserRow):
    key_count: int


class UserPage(DialectRow):
    users: list[CountedUser]
    total: int
    page: int
    page_size: int
    total_pages: int


def listed(caller: Principal, query: UserQuery) -> UserPage:
    """A page, newest first unless another order is asked for. Raises the contract's 403 for those who see nobody."""
    own = _own_organizations(caller, query)
    if own is None and query.is_plain:
        state = users.total()
        total = state.number
        beyond = (query.page - 1) * query.page_size >= total
        shown = [] if beyond else PAGES.entries(users.search, state, query.page, query.page_size)
    else:
        found = [user for user in islice(_source(caller, query, own), MAX_CANDIDATES) if _matches(user, query)]
        total = len(found)
        first = (query.page - 1) * query.page_size
        shown = _sorted(found, query)[first : first + query.page_size]
    return UserPage(
        users=_counted(caller, shown),
        total=total,
        page=query.page,
        page_size=query.page_size,
        total_pages=-(-total // query.page_size),
    )


def _counted(caller: Principal, shown: list[User]) -> list[CountedUser]:
    found = [seen(caller, user) for user in shown]
    rows = zip(user_rows.all_fields(found), found, strict=True)
    return [CountedUser(**fields, key_count=len(one.keys)) for fields, one in rows]


def _own_organizations(caller: Principal, query: UserQuery) -> list[str] | None:
    """Whose members are listed; None: everybody is."""
    wanted = _names(query.organization_ids)
    if has_role(caller, Action.USER_READ, PLATFORM):
        return wanted or None
    own = [name for name, _ in caller.organization_roles if has_role(caller, Action.USER_LIST, Owner(name))]
    if not own or set(wanted) - set(own):
        message = f"You are not authorized to list these users. Your user role={role_of(caller)}"
        raise DialectError(403, message, quoted=True)
    return wanted or own


def _source(caller: Principal, query: UserQuery, own: list[str] | None) -> Iterator[User]:
    """The narrowest list that has what is asked for, newest first where the table has that order."""
    if own is not None:
        found: Iterable[User] = _members(filter(None, map(_organization_uid, own)))
        if query.team:
            inside = {user.user_id for user in _members([_team_uid(caller, query.team)])}
            found = (user for user in found if user.user_id in inside)
        return iter(found)
    if query.team:
        return _members([_team_uid(caller, query.team)])
    if query.user_ids:
        return _found(_names(query.user_ids))
    if query.sso_user_ids:
        return (user for name in _names(query.sso_user_ids) if (user := users.find_by_sso(name)) is not None)
    is_admin = query.role is not None and query.role.startswith("proxy_admin")
    return users.every_admin() if is_admin else users.every()


def _members(owner_uids: Iterable[str]) -> Iterator[User]:
    """The users who are in one of them."""
    return _found(member.user_id for uid in owner_uids for member in memberships.all_members(uid))


def _found(user_ids: Iterable[str]) -> Iterator[User]:
    """Those that there are, newest first."""
    found = users.find_all(islice(dict.fromkeys(user_ids), MAX_CANDIDATES))
    return iter(sorted(found.values(), key=lambda user: (user.created_at, user.user_id), reverse=True))


def _organization_uid(organization_id: str) -> str | None:
    organization = organizations.find(organization_id)
    return organization.uid if organization is not None and not organization.deleting else None


def _team_uid(caller: Principal, team_id: str) -> str:
    try:
        return team_access.reachable(caller, team_id, Action.MEMBER_READ).uid
    except (NotFoundError, ForbiddenError):
        if has_role(caller, Action.USER_READ, PLATFORM):
            raise DialectError(404, f"Team not found, passed team_id={team_id}", quoted=True) from None
        message = f"You are not authorized to list the users of this team. team_id={team_id}"
        raise DialectError(403, message, quoted=True) from None


def _names(text: str | None) -> list[str]:
    return [name for part in (text or "").split(",") if (name := part.strip())]


def _matches(user: User, query: UserQuery) -> bool:
    """Whether every filter has him."""
    if query.role is not None and USER_ROLES[user.role] != query.role:
        return False
    if query.user_ids and user.user_id not in _names(query.user_ids):
        return False
    if query.sso_user_ids and user.sso_user_id not in _names(query.sso_user_ids):
        return False
    email = user.email or ""
    if query.user_email and query.user_email.casefold() not in email.casefold():
        return False
    texts = (user.user_id, email, user.display_name or "")
    return not query.search or any(query.search.casefold() in text.casefold() for text in texts)


def _sorted(found: list[User], query: UserQuery) -> list[User]:
    """What has no such value comes last, whichever way."""
    if query.sort_by is None:
        return found
    values = _values(found, query.sort_by)
    pairs = list(zip(values, found, strict=True))
    with_value = [pair for pair in pairs if pair[0] is not None]
    ordered = sorted(with_value, key=lambda pair: (pair[0], pair[1].user_id), reverse=query.sort_order == "desc")
    return [user for _, user in ordered] + [user for value, user in pairs if value is None]


def _values(found: list[User], name: str) -> list[Any]:
    if name == "spend":
        if len(found) > _MOST_BY_SPEND:
            raise DialectError(400, f"More than {_MOST_BY_SPEND} users cannot be sorted by spend; filter them first")
        return [
            one.spend
            for one in spending.of_all([spending.user_spender(user) for user in found], user_service().clock())
        ]
    return [_SORTED_BY[name](user) for user in found]


_SORTED_BY: dict[str, Callable[[User], Any]] = {
    "user_id": lambda user: user.user_id,
    "user_email": lambda user: user.email,
    "user_alias": lambda user: user.display_name,
    "user_role": lambda user: USER_ROLES[user.role],
    "created_at": lambda user: user.created_at,
    "updated_at": lambda user: user.updated_at,
}
