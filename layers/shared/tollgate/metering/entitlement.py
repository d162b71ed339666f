"""Who is calling and what he may: everything on the call's path read strongly consistent in one batch, on every call.

The authorizer's cached answer only says which team, organization and user to read along; nothing in it is trusted
(design sections 3 and 4). So a revoke, a suspend, a resume, another limit counts on the very next call.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tollgate.auth import routes
from tollgate.auth.credentials import is_master_key, key_id_of
from tollgate.aws.dynamodb import DynamoDB, Item
from tollgate.core import clock
from tollgate.core.errors import (
    BlockedError,
    CustomerBlockedError,
    KeyExpiredError,
    OrganizationSuspendedError,
    RoleNotAllowedError,
    RouteNotAllowedError,
    TeamPausedError,
    TeamSuspendedError,
    UnauthenticatedError,
)
from tollgate.metering.attributes import flag, text, texts
from tollgate.settings import Settings
from tollgate.table import keys

VERSION_KEY = (keys.CATALOGUE, keys.CATALOGUE_VERSION)
_ACTIVE = "active"
# Whoever only looks on calls nothing, by no key of his (decisions section 6).
_VIEWER = "platform_viewer"

_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Hint:
    """What the authorizer's context says belongs to the key, to be read along with it."""

    key_id: str = ""
    team_id: str = ""
    team_uid: str = ""
    organization_id: str = ""
    organization_uid: str = ""
    user_id: str = ""
    user_uid: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """The entities on a call's path, as raw items; None where the key names none. ``key`` None: the master key."""

    catalogue_version: int
    key: Item | None = None
    team: Item | None = None
    organization: Item | None = None
    user: Item | None = None
    team_member: Item | None = None
    organization_member: Item | None = None
    customer: Item | None = None
    job: Item | None = None
    job_counter: Item | None = None
    budgets: dict[str, Item] = field(default_factory=dict)


class EntitlementReader:
    """Reads and checks, in the order of Q-10."""

    def __init__(self, db: DynamoDB, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    async def read(
        self, credential: str, hint: Hint, customer_id: str | None = None, job_id: str | None = None
    ) -> Caller:
        """The caller, what he belongs to, and the job that he calls in. Raises the first row that refuses him (Q-10).

        The master key calls in a job for the job's team.
        """
        if customer_id and not keys.fits(customer_id):
            # Of whom nothing can be known.
            customer_id = None
        if is_master_key(credential, self._settings.master_key_sha256):
            return await self._master(customer_id, job_id)
        key_id = key_id_of(credential)
        caller = await self._caller(key_id, hint if hint.key_id == key_id else Hint(), customer_id, job_id)
        _check_states(caller)
        return caller

    async def _master(self, customer_id: str | None, job_id: str | None) -> Caller:
        table = self._settings.table_name
        named = [(keys.customer(customer_id), keys.ENTITY)] if customer_id else []
        found = await self._db.batch_get(table, [VERSION_KEY, *_job_places(job_id).values(), *named])
        for place in named:
            # He is not limited under the platform's own key, but blocked he is.
            _check_customer(found.get(place))
        jobs = {name: found.get(place) for name, place in _job_places(job_id).items()}
        if jobs.get("job") is None:
            return Caller(_version(found.get(VERSION_KEY)))
        owned = Hint(
            team_id=text(jobs["job"], "team_id") or "", organization_id=text(jobs["job"], "organization_id") or ""
        )
        places = _places(owned)
        found |= await self._db.batch_get(table, list(places.values()))
        owners: dict[str, Any] = {name: found.get(place) for name, place in places.items()} | jobs
        caller = Caller(_version(found.get(VERSION_KEY)), **owners)
        _check_owners(caller)
        budgets = await self._shared_budgets(caller)
        return replace(caller, budgets=budgets)

    async def _caller(self, key_id: str, hint: Hint, customer_id: str | None, job_id: str | None) -> Caller:
        """One batch when the hint was right, two when it was not or a budget is shared."""
        table = self._settings.table_name
        place = (keys.key(key_id), keys.ENTITY)
        jobs = _job_places(job_id)
        wanted = [place, VERSION_KEY, *_places(hint).values(), *jobs.values()]
        if customer_id:
            wanted.append((keys.customer(customer_id), keys.ENTITY))
        found = await self._db.batch_get(table, list(dict.fromkeys(wanted)))
        key = found.get(place)
        successor = text(key, "successor")
        if key is not None and successor and clock.from_stored(text(key, "expires_at") or "") > clock.utc_now():
            # The string was changed, and the old one still stands for the key for a while.
            return await self._caller(successor, _owners(key), customer_id, job_id)
        if key is None or text(key, "status") != _ACTIVE:
            raise _unknown()
        places = _places(_owners(key))
        missing = [owner for owner in places.values() if owner not in wanted]
        if missing:
            found |= await self._db.batch_get(table, missing)
        owners: dict[str, Any] = {name: found.get(owner) for name, owner in (places | jobs).items()}
        customer = found.get((keys.customer(customer_id), keys.ENTITY)) if customer_id else None
        caller = Caller(_version(found.get(VERSION_KEY)), key, customer=customer, **owners)
        budgets = await self._shared_budgets(caller)
        return replace(caller, budgets=budgets) if budgets else caller

    async def _shared_budgets(self, caller: Caller) -> dict[str, Item]:
        """The shared rows that the limits on the path name (Q-52)."""
        limited = (
            caller.key,
            caller.team,
            caller.organization,
            caller.user,
            caller.team_member,
            caller.organization_member,
            caller.customer,
        )
        named = {
            item["limits"]["M"]["budget_id"]["S"]
            for item in limited
            if item is not None and "limits" in item and "budget_id" in item["limits"]["M"]
        }
        if caller.team_member is not None and (defaults := text(caller.team, "member_budget_id")):
            named.add(defaults)
        if not named:
            return {}
        places = {(keys.budget(budget_id), keys.ENTITY): budget_id for budget_id in sorted(named)}
        found = await self._db.batch_get(self._settings.table_name, list(places))
        return {budget_id: found[place] for place, budget_id in places.items() if place in found}


def check_route(caller: Caller, route: str) -> None:
    """Raises RouteNotAllowedError if the caller's key is limited to other routes."""
    allowed = texts(caller.key, "allowed_routes")
    if not routes.allows(allowed, route):
        raise RouteNotAllowedError(allowed, route)


def _owners(key: Item) -> Hint:
    """What a key says that it belongs to."""
    return Hint("", *(text(key, name) or "" for name in Hint.__slots__[1:]))


def _job_places(job_id: str | None) -> dict[str, _Place]:
    """Where a job and its counter item lie, by their names in ``Caller``."""
    if job_id is None:
        return {}
    return {"job": (keys.job(job_id), keys.ENTITY), "job_counter": (keys.account(job_id), keys.counter())}


def _places(owners: Hint) -> dict[str, _Place]:
    """Where the entities lie that a key belongs to, by their names in ``Caller``."""
    places: dict[str, _Place] = {}
    if owners.team_id:
        places["team"] = (keys.team(owners.team_id), keys.ENTITY)
    if owners.organization_id:
        places["organization"] = (keys.organization(owners.organization_id), keys.ENTITY)
    if owners.user_id:
        places["user"] = (keys.user(owners.user_id), keys.ENTITY)
    if owners.user_uid and owners.team_uid:
        places["team_member"] = (keys.members_of(owners.team_uid), keys.member(owners.user_uid))
    if owners.user_uid and owners.organization_uid:
        places["organization_member"] = (keys.members_of(owners.organization_uid), keys.member(owners.user_uid))
    return places


def _check_states(caller: Caller) -> None:
    """The rows of Q-10 from 'deleted' to 'paused', in their order."""
    key = caller.key
    assert key is not None
    _check_existence(key, caller)
    _check_expiry(key)
    _check_owners(caller)
    _check_customer(caller.customer)


def _check_owners(caller: Caller) -> None:
    key, team, organization, user = caller.key, caller.team, caller.organization, caller.user
    for name, item in (("Key", key), ("Team", team), ("Organization", organization)):
        if flag(item, "blocked"):
            raise BlockedError(name, text(item, f"{name.lower()}_id") or "")
    if user is not None:
        if not flag(user, "is_active"):
            raise BlockedError("User", text(user, "user_id") or "")
        if text(user, "role") == _VIEWER:
            raise RoleNotAllowedError
        _check_expiry(user, "access_expires_at")
    if organization is not None and text(organization, "status") != _ACTIVE:
        raise OrganizationSuspendedError
    match text(team, "status"):
        case "suspended":
            raise TeamSuspendedError
        case "paused":
            raise TeamPausedError


def _check_customer(customer: Item | None) -> None:
    if flag(customer, "blocked"):
        raise CustomerBlockedError(text(customer, "customer_id") or "")


def _check_existence(key: Item, caller: Caller) -> None:
    team, organization = caller.team, caller.organization
    # A key may name a user whom nobody has made; one who was made and is gone takes his keys along.
    if "user_uid" in key and (text(caller.user, "uid") != text(key, "user_uid") or flag(caller.user, "deleting")):
        raise _unknown()
    if "team_id" in key and (team is None or flag(team, "deleting") or text(team, "uid") != text(key, "team_uid")):
        raise _unknown()
    if "organization_id" in key and (organization is None or flag(organization, "deleting")):
        raise _unknown()
    if team is None and organization is not None and text(organization, "uid") != text(key, "organization_uid"):
        raise _unknown()
    if team is not None and organization is not None and text(team, "organization_uid") != text(organization, "uid"):
        raise _unknown()


def _check_expiry(item: Item, name: str = "expires_at") -> None:
    expires_at = text(item, name)
    if expires_at and (end := clock.from_stored(expires_at)) <= (now := clock.utc_now()):
        raise KeyExpiredError(end, now)


def _unknown() -> UnauthenticatedError:
    """Revoked and deleted are the same as never issued (Q-10)."""
    return UnauthenticatedError(code="token_not_found_in_db")


def _version(item: Item | None) -> int:
    return int(item["number"]["N"]) if item else 0
