"""Users in the dialect (contract litellm 1.5): made, changed, looked at, deleted. ``user_lists`` has their list."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, TypeVar

from tollgate.auth.policy import PLATFORM, Action, Owner, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import AlreadyExistsError, NotFoundError, TollgateError
from tollgate.keys import repository as key_repository
from tollgate.limits.model import Scope
from tollgate.litellm import keys, user_rows
from tollgate.litellm.api import not_allowed
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.litellm.key_requests import change_of
from tollgate.litellm.key_rows import KeyGenerated
from tollgate.litellm.reached_teams import reached
from tollgate.litellm.user_requests import MOST_AT_ONCE, ChangeUser, ChangeUsers, NewUser, UserFields, UserIds
from tollgate.litellm.user_rows import Seen, UserRow, seen
from tollgate.organizations import repository as organizations
from tollgate.settings import settings
from tollgate.tenants import spending
from tollgate.tenants.budgets import AdjustSpend, budget_service
from tollgate.tenants.new_users import Place, new_user_service
from tollgate.tenants.users import user_removal_service
from tollgate.users import repository as users
from tollgate.users.model import User
from tollgate.users.service import user_service

T = TypeVar("T")


class UserCreated(UserRow):
    """A new user, and the key that has been made with him; ``key`` is shown here and never again."""

    key: str | None
    key_name: str | None
    key_alias: str | None
    token: str | None
    token_id: str | None
    expires: Moment | None
    aliases: dict[str, str]
    config: dict[str, Any] | None
    permissions: dict[str, Any] | None
    tags: list[str]
    guardrails: list[str] | None
    prompts: list[str] | None
    enforced_params: list[str] | None


class UserUpdated(DialectRow):
    user_id: str
    data: UserRow


class UserResult(DialectRow):
    user_id: str | None
    user_email: str | None
    success: bool
    error: str | None
    updated_user: UserRow | None


class UsersUpdated(DialectRow):
    results: list[UserResult]
    total_requested: int
    successful_updates: int
    failed_updates: int


def new(caller: Principal, request: NewUser) -> UserCreated:
    """A new user in his organizations and teams, then his key. An id, an address or an SSO id that is taken is refused.

    Everything that can be refused is, before anything is written.
    """
    places = request.places()
    _check_places(caller, places)
    _check_key(caller, request)
    create = request.created()
    user, memberships = _unless_taken(request, lambda: new_user_service().create(caller, create, places))
    _set_spend(caller, user, request)
    made = (
        keys.generate(caller, request.key(user.user_id, _home(caller, places, request)))
        if request.auto_create_key
        else None
    )
    (fields,) = user_rows.all_fields([Seen(user, memberships, [])])
    return UserCreated(**fields | _of_key(made))


def update(caller: Principal, request: ChangeUser) -> UserUpdated:
    """Changes what is sent. The platform's administrators make a user by an address that nobody has."""
    user = _named(caller, request)
    if user is None:
        user, _ = _unless_taken(request, lambda: new_user_service().create(caller, request.created(), []))
    else:
        user = _changed(caller, user, request, named_by_email=request.user_id is None)
    _set_spend(caller, user, request)
    return UserUpdated(user_id=user.user_id, data=user_rows.rows([seen(caller, user, with_keys=False)])[0])


def bulk_update(caller: Principal, request: ChangeUsers) -> UsersUpdated:
    """The same of many, each with a result of his own: what fails does so alone."""
    results = [_result(caller, one) for one in _wanted(request)]
    successes = sum(result.success for result in results)
    return UsersUpdated(
        results=results,
        total_requested=len(results),
        successful_updates=successes,
        failed_updates=len(results) - successes,
    )


def delete(caller: Principal, request: UserIds) -> int:
    """Deletes users with their keys and memberships, or none if one is unknown; how many they were."""
    try:
        return user_removal_service().delete_many(caller, request.user_ids)
    except NotFoundError:
        known = users.find_all(request.user_ids)
        unknown = next((name for name in request.user_ids if name not in known), None)
        if unknown is not None and caller.platform_role is not None:
            raise DialectError(404, f"User not found, passed user_id={unknown}", quoted=True) from None
        raise DialectError(403, "You may not delete all of these users", quoted=True) from None


def _check_places(caller: Principal, places: list[Place]) -> None:
    """Refuses teams and organizations that are not there, or not the caller's, in the contract's words (2.3)."""
    named = [place.owner_id for place in places if place.scope is Scope.ORGANIZATION_MEMBER]
    if not has_role(caller, Action.USER_WRITE, PLATFORM):
        own = [name for name in named if has_role(caller, Action.USER_MANAGE, Owner(name))]
        if not named or own != named:
            raise not_allowed(caller, "/user/new")
    for name in named:
        organization = organizations.find(name)
        if organization is None or organization.deleting:
            raise DialectError(400, f"Organization not found for organization_id={name}", quoted=True)
    for place in places:
        if place.scope is Scope.TEAM_MEMBER:
            reached(caller, place.owner_id, Action.MEMBER_WRITE, "/user/new")


def _check_key(caller: Principal, request: NewUser) -> None:
    """Refuses what the key could not be made with, before there is a user."""
    if caller.platform_role is None:
        for name in ("permissions", "allowed_routes", "spend"):
            if getattr(request, name):
                raise DialectError(403, f"Only proxy admins can set `{name}` on a user.", quoted=True)
    change = change_of(request.key("", None))
    alias = change.values.get("key_alias")
    if request.auto_create_key and alias is not None and key_repository.find_by_alias(alias) is not None:
        message = f"Key with alias '{alias}' already exists. Unique key aliases across all keys are required."
        raise DialectError(400, message, kind="bad_request_error", param="key_alias")


def _home(caller: Principal, places: list[Place], request: NewUser) -> str | None:
    """The organization that a new user's key belongs to: an organization's administrator makes none outside of it."""
    if request.organization_id or caller.platform_role is not None:
        return request.organization_id or None
    return next((place.owner_id for place in places if place.scope is Scope.ORGANIZATION_MEMBER), None)


def _of_key(made: KeyGenerated | None) -> dict[str, Any]:
    """What the answer shows of the key that was made."""
    names = UserCreated.model_fields.keys() - UserRow.model_fields.keys()
    if made is None:
        return dict.fromkeys(names) | {"aliases": {}, "tags": []}
    return {name: getattr(made, name) for name in names}


def _set_spend(caller: Principal, user: User, request: UserFields) -> None:
    """What he is to have spent in this window (Q-45); it needs a budget."""
    if request.spend is None or spending.user_spender(user).effective.max_budget is None:
        return
    budget_service().adjust(caller, Scope.USER, user.user_id, AdjustSpend(spend=request.spend))


def _named(caller: Principal, request: ChangeUser) -> User | None:
    """Whom a change means; None: somebody new, whom the caller may make."""
    if request.user_id is None and request.user_email is None:
        raise DialectError(400, "Either user_id or user_email must be provided")
    if request.spend is not None and caller.platform_role is None:
        raise DialectError(403, "Only proxy admins can set `spend` on a user.")
    by_id = request.user_id is not None
    user = users.find(request.user_id or "") if by_id else users.find_by_email(request.user_email or "")
    if user is not None:
        return user
    if not has_role(caller, Action.USER_WRITE, PLATFORM):
        raise _not_yours(request)
    if by_id:
        raise DialectError(404, f"User not found, passed user_id={request.user_id}")
    return None


def _changed(caller: Principal, user: User, request: ChangeUser, *, named_by_email: bool) -> User:
    change = request.change(user, named_by_email=named_by_email)
    try:
        return _unless_taken(request, lambda: user_service().update(caller, user.user_id, change))
    except NotFoundError:
        raise _not_yours(request) from None


def _not_yours(request: ChangeUser) -> DialectError:
    name = f"user_id={request.user_id}" if request.user_id is not None else f"user_email={request.user_email}"
    return DialectError(403, f"You are not allowed to update this user. {name}")


def _wanted(request: ChangeUsers) -> list[ChangeUser]:
    if request.users:
        return request.users
    if not request.all_users or request.user_updates is None:
        raise DialectError(
            400, "Must specify either 'users' for individual updates or 'all_users' with 'user_updates'.", quoted=True
        )
    found = list(islice(users.every(), MOST_AT_ONCE + 1))
    if len(found) > MOST_AT_ONCE:
        message = f"There are more than {MOST_AT_ONCE} users; name them in parts."
        raise DialectError(400, message, quoted=True)
    changes = request.user_updates
    values = {name: getattr(changes, name) for name in changes.model_fields_set}
    every = [values | {"user_id": user.user_id} for user in found]
    return [ChangeUser.model_construct(set(one), **one) for one in every]


def _result(caller: Principal, request: ChangeUser) -> UserResult:
    try:
        updated = update(caller, request)
    except TollgateError as refused:
        return UserResult(
            user_id=request.user_id,
            user_email=request.user_email,
            success=False,
            error=refused.message,
            updated_user=None,
        )
    row = updated.data
    return UserResult(user_id=row.user_id, user_email=row.user_email, success=True, error=None, updated_user=row)


def _unless_taken(request: UserFields, run: Callable[[], T]) -> T:
    """The domain's refusals in the contract's words (1.1): an address is a conflict in profile 1.106 only (Q-55)."""
    try:
        return run()
    except AlreadyExistsError as error:
        taken = _TAKEN.get(error.stable_code)
        if taken is None:
            raise
        what, name = taken
        status = 400 if settings().litellm_compat == "1.80" and what != "id" else 409
        message = f"User with {what} {getattr(request, name)} already exists"
        raise DialectError(status, message, quoted=True) from None


# What is taken by the domain's code, and the field that has it.
_TAKEN = {
    "user_exists": ("id", "user_id"),
    "email_exists": ("email", "user_email"),
    "sso_user_id_exists": ("sso_user_id", "sso_user_id"),
}
