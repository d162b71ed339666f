"""Keys in the dialect (contract litellm 1.6): made, changed, looked at, ended. ``key_lists`` has their lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar

from tollgate.auth.policy import Action, Owner, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import AlreadyExistsError, ForbiddenError, InvalidRequestError, NotFoundError, WrongStateError
from tollgate.core.fields import Amount
from tollgate.keys import repository as keys
from tollgate.keys.access import reachable, team_for
from tollgate.keys.management import SERVICE_ROUTE, Renewal, key_management
from tollgate.keys.model import KeyChange, KeyStatus, VirtualKey
from tollgate.limits.model import Scope
from tollgate.litellm.api import role_of
from tollgate.litellm.errors import DialectError, Shape
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.litellm.key_requests import (
    BulkUpdateKeys,
    BulkUpdateTeamKeys,
    GenerateKey,
    KeyFields,
    KeyNames,
    OneKey,
    RegenerateKey,
    ResetSpend,
    UpdateKey,
    change_of,
    grace_of,
    id_of,
    is_name,
    own_string,
)
from tollgate.litellm.key_rows import KeyGenerated, KeyRow, KeyUpdated, fields, row_of
from tollgate.teams import permissions
from tollgate.teams import repository as teams
from tollgate.tenants import spending
from tollgate.tenants.budgets import AdjustSpend, budget_service

_NOT_FOUND = "not_found_error"
_MEMBER = "team_member_permission_error"
T = TypeVar("T")


class KeysDeleted(DialectRow):
    deleted_keys: list[str]


class KeyInfo(DialectRow):
    key: str
    info: KeyRow


class KeyInfos(DialectRow):
    key: list[str]
    info: list[KeyRow]


class KeySpendReset(DialectRow):
    key_hash: str
    spend: Amount
    previous_spend: Amount
    max_budget: Amount | None
    budget_reset_at: Moment | None


class KeyUpdatedEntry(DialectRow):
    key: str
    key_info: KeyRow


class KeyFailedEntry(DialectRow):
    key: str
    key_info: KeyRow | None
    failed_reason: str


class KeysUpdated(DialectRow):
    total_requested: int
    successful_updates: list[KeyUpdatedEntry]
    failed_updates: list[KeyFailedEntry]


class KeyHealth(DialectRow):
    key: Literal["healthy"]
    logging_callbacks: None = None


def generate(caller: Principal, request: GenerateKey, route: str = "/key/generate") -> KeyGenerated:
    """A new key, of a team, a user, an organization or nobody (Q-03, Q-05). What it is to have spent needs a budget.

    Raises the contract's refusals.
    """
    change = change_of(request)
    team_id = change.owners.get("team_id")
    if team_id is not None:
        _check_team(caller, team_id, route)
    if request.spend and caller.platform_role is None:
        raise DialectError(403, "Only proxy admins can set `spend` on a key.", quoted=True)
    secret = own_string(request.key)
    string, key = _translated(lambda: key_management().issue(caller, change, secret, route))
    if request.spend and spending.key_spender(key).effective.max_budget is not None:
        _set_spend(caller, key, request)
    return _generated(string, key)


def generate_for_service(caller: Principal, request: GenerateKey) -> KeyGenerated:
    """A key of a team that is nobody's; its metadata names the service by the key's alias."""
    if not request.team_id:
        raise DialectError(400, "team_id is required for service account keys.", param="team_id", quoted=True)
    metadata = {**(request.metadata or {}), "service_account_id": request.key_alias}
    own = request.model_copy(update={"user_id": None, "metadata": metadata})
    own.model_fields_set.add("metadata")
    return generate(caller, own, SERVICE_ROUTE)


def update(caller: Principal, request: UpdateKey) -> KeyUpdated:
    """Changes what is sent; null clears (Q-25)."""
    by_alias = request.key is None
    if by_alias:
        found = keys.find_by_alias(request.key_alias or "")
        name = found.key_id if found is not None else ""
    else:
        name = request.key or ""
    missing = DialectError(404, "Key not found.", kind=_NOT_FOUND, param="key")
    key = _reached(caller, name, Action.KEY_UPDATE, "/key/update", missing)
    after = _update(caller, key, request, "/key/update", named_by_alias=by_alias)
    return KeyUpdated.model_validate(fields([after])[0] | {"key": request.key or after.key_id})


def bulk_update_of_team(caller: Principal, request: BulkUpdateTeamKeys) -> KeysUpdated:
    """The same for those who manage a team's keys, or are permitted to change many of them at once."""
    return bulk_update(caller, request, "/team/key/bulk_update", request.team_id)


def bulk_update(
    caller: Principal, request: BulkUpdateKeys, route: str = "/key/bulk_update", team_id: str | None = None
) -> KeysUpdated:
    """Each on its own: what fails does so alone. ``team_id``: keys of other teams are not meant."""
    done, failed = [], []
    missing = DialectError(404, "Key not found.", kind=_NOT_FOUND, param="key")
    for entry in request.keys:
        key = None
        try:
            key = _reached(caller, entry.key, Action.KEY_UPDATE, route, missing)
            if team_id is not None and key.team_id != team_id:
                key = None
                raise missing
            after = _update(caller, key, entry, route)
        except (NotFoundError, InvalidRequestError, WrongStateError, ForbiddenError, DialectError) as error:
            info = row_of(key) if key is not None else None
            failed.append(KeyFailedEntry(key=entry.key, key_info=info, failed_reason=error.message))
        else:
            done.append(KeyUpdatedEntry(key=entry.key, key_info=row_of(after)))
    return KeysUpdated(total_requested=len(request.keys), successful_updates=done, failed_updates=failed)


def regenerate(caller: Principal, name: str | None, request: RegenerateKey, route: str) -> KeyGenerated:
    """Another string for the same key; the old one stands for it until ``grace_period`` is over, or is dead at once."""
    shown = name or request.key or caller.key_id
    if shown is None:
        raise DialectError(400, "key is required", param="key", quoted=True)
    missing = DialectError(404, f"Key {_veiled(shown)} not found.", kind=_NOT_FOUND, param="key")
    key = _reached(caller, shown, Action.KEY_UPDATE, route, missing)
    change, renewal = change_of(request), Renewal(own_string(request.new_key), grace_of(request))
    if not change.is_empty:
        _check_change(caller, change, key, "/key/update")
    string, new = _translated(lambda: key_management().regenerate(caller, key.key_id, change, renewal, route))
    return _generated(string, new)


def delete(caller: Principal, request: KeyNames) -> KeysDeleted:
    """Ends keys; their very next calls are refused. Those that are not there are left out, if any is."""
    named = [(name, id_of(name)) for name in request.keys or ()]
    for alias in request.key_aliases or ():
        key = keys.find_by_alias(alias)
        named.append((alias, key.key_id if key is not None else ""))
    missing = DialectError(404, "No keys found", quoted=True)
    there = {key.key_id for key in keys.find_all({key_id for _, key_id in named}) if key.status is KeyStatus.ACTIVE}
    wanted = [(name, key_id) for name, key_id in named if key_id in there]
    if not wanted:
        raise missing
    for _, key_id in wanted:
        _reached(caller, key_id, Action.KEY_REVOKE, "/key/delete", missing)
    key_management().revoke(caller, [key_id for _, key_id in wanted], "/key/delete")
    return KeysDeleted(deleted_keys=[name for name, _ in wanted])


def info(caller: Principal, name: str | None) -> KeyInfo:
    """A key; the caller's own where none is named."""
    shown = name or caller.key_id
    missing = DialectError(404, "Key not found in database", kind=_NOT_FOUND, param="key")
    if shown is None:
        raise missing
    denied = f"You are not allowed to access this key's info. Your role={role_of(caller)}"
    key = _reached(caller, shown, Action.KEY_READ, "/key/info", missing, denied)
    return KeyInfo(key=shown, info=row_of(key))


def infos(caller: Principal, request: KeyNames) -> KeyInfos:
    """Several keys; those that are not there, or not for the caller, are left out."""
    ids = [id_of(name) for name in request.keys or ()]
    found = [keys.find_by_alias(alias) for alias in request.key_aliases or ()]
    ids += [key.key_id for key in found if key is not None]
    shown = []
    for key_id in dict.fromkeys(ids):
        try:
            shown.append(reachable(caller, key_id, Action.KEY_READ).key)
        except (NotFoundError, ForbiddenError):
            continue
    rows = [KeyRow.model_validate(row) for row in fields(shown)]
    return KeyInfos(key=[key.key_id for key in shown], info=rows)


def set_blocked(caller: Principal, request: OneKey, route: str, *, blocked: bool) -> KeyRow:
    """Blocks a key, or lets it be used again; the very next call follows."""
    if not is_name(request.key):
        raise DialectError(400, "Invalid key format.", quoted=True)
    missing = DialectError(404, f"Key not found. Passed key={_veiled(request.key)}", quoted=True)
    key = _reached(caller, request.key, Action.KEY_UPDATE, route, missing)
    change = KeyChange({"blocked": blocked})
    return row_of(_translated(lambda: key_management().change(caller, key.key_id, change, route)))


def reset_spend(caller: Principal, name: str, request: ResetSpend) -> KeySpendReset:
    """Sets what a key has spent in this window, at most to what it has (Q-45)."""
    route = "/key/{key}/reset_spend"
    missing = DialectError(404, f"Key not found. Passed key={_veiled(name)}", quoted=True)
    key = _reached(caller, name, Action.KEY_UPDATE, route, missing)
    before = spending.of(spending.key_spender(key), key_management().clock())
    if request.reset_to > before.spend:
        message = f"reset_to ({request.reset_to}) must be less than or equal to current spend ({before.spend})"
        raise DialectError(400, message, quoted=True)
    after = budget_service().adjust(caller, Scope.KEY, key.key_id, AdjustSpend(spend=request.reset_to))
    return KeySpendReset(
        key_hash=key.key_id,
        spend=after.spend or request.reset_to,
        previous_spend=before.spend,
        max_budget=key.limits.max_budget,
        budget_reset_at=after.budget_reset_at,
    )


def health(_: Principal) -> KeyHealth:
    """Whoever gets here has a key that may be used; nothing is logged anywhere that could fail."""
    return KeyHealth(key="healthy")


def _update(
    caller: Principal, key: VirtualKey, request: KeyFields, route: str, *, named_by_alias: bool = False
) -> VirtualKey:
    if request.spend is not None and caller.platform_role is None:
        raise DialectError(403, "Only proxy admins can set `spend` on a key.")
    change = change_of(request, named_by_alias=named_by_alias)
    _check_change(caller, change, key, route)
    after = _translated(lambda: key_management().change(caller, key.key_id, change, route))
    if request.spend is not None:
        _set_spend(caller, after, request)
    return after


def _set_spend(caller: Principal, key: VirtualKey, request: KeyFields) -> None:
    """What is sent back as it was shown changes nothing, and needs no budget either."""
    shown = spending.of(spending.key_spender(key), key_management().clock()).spend
    if request.spend is not None and request.spend != shown:
        budget_service().adjust(caller, Scope.KEY, key.key_id, AdjustSpend(spend=request.spend))


def _generated(string: str, key: VirtualKey) -> KeyGenerated:
    own = {"key": string, "token": key.key_id, "token_id": key.key_id}
    return KeyGenerated.model_validate(fields([key])[0] | own)


def _reached(  # noqa: PLR0913, PLR0917
    caller: Principal, name: str, action: Action, route: str, missing: DialectError, denied: str | None = None
) -> VirtualKey:
    """The key, or the contract's refusal: unknown, another's, or one of a team in which the caller only is a member."""
    key_id = id_of(name)
    try:
        return reachable(caller, key_id, action, route).key
    except (NotFoundError, ForbiddenError):
        key = keys.find(key_id)
        if key is None or key.status is KeyStatus.REVOKED:
            raise missing from None
        if key.team_id is not None and permissions.is_member(caller, key.team_id):
            raise _member_refused(key.team_id, route) from None
        message = denied or f"You are not allowed to change this key. Your role={role_of(caller)}"
        raise DialectError(403, message) from None


def _check_change(caller: Principal, change: KeyChange, key: VirtualKey, route: str) -> None:
    """Refuses what takes another right than that over the key: over the team that it goes to, or to block it."""
    team_id = change.owners.get("team_id")
    if team_id is not None and team_id != key.team_id:
        _check_team(caller, team_id, route)
    missing = DialectError(404, "Key not found.", kind=_NOT_FOUND, param="key")
    _reached(caller, key.key_id, Action.KEY_UPDATE, route, missing)
    blocked = change.values.get("blocked", key.blocked)
    if blocked != key.blocked:
        _reached(caller, key.key_id, Action.KEY_UPDATE, "/key/block" if blocked else "/key/unblock", missing)


def _check_team(caller: Principal, team_id: str, route: str) -> None:
    """Refuses a team in which the caller may make no keys; whether another tenant's is there is not told."""
    try:
        team_for(caller, team_id, route)
    except (NotFoundError, ForbiddenError):
        if has_role(caller, Action.KEY_ISSUE, Owner()):
            message = f"Team not found, passed team_id={team_id}"
            raise DialectError(400, message, param="team_id", quoted=True) from None
        if permissions.is_member(caller, team_id):
            raise _member_refused(team_id, route) from None
        message = f"User {caller.user_id} does not belong to team {team_id}"
        raise DialectError(401, message, kind=_MEMBER, param=route, shape=Shape.INTERNAL) from None


def _member_refused(team_id: str, route: str) -> DialectError:
    team = teams.find(team_id)
    allowed = list(permissions.granted(team) if team is not None else permissions.BASELINE)
    message = (
        f"Team member does not have permissions for endpoint: {route}. "
        f"You only have access to the following endpoints: {allowed} for team {team_id}."
    )
    return DialectError(401, message, kind=_MEMBER, param=route, shape=Shape.INTERNAL)


def _translated(run: Callable[[], T]) -> T:
    """The domain's refusals in the contract's words."""
    try:
        return run()
    except AlreadyExistsError as error:
        raise DialectError(400, error.message, kind="bad_request_error", param=error.param) from None


def _veiled(name: str) -> str:
    """A key is never said whole."""
    return f"sk-...{name[-4:]}" if name.startswith("sk-") else name
