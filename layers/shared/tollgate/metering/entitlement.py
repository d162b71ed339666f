"""Who is calling and what he may: key, team and organization read strongly consistent in one batch, on every call.

The authorizer's cached answer only says which team and organization to read along; nothing in it is trusted
(design sections 3 and 4). So a revoke, a suspend, a resume counts on the very next call.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tollgate.auth.credentials import is_master_key, key_id_of
from tollgate.aws.dynamodb import DynamoDB, Item
from tollgate.core import clock
from tollgate.core.errors import (
    BlockedError,
    KeyExpiredError,
    OrganizationSuspendedError,
    TeamPausedError,
    TeamSuspendedError,
    UnauthenticatedError,
)
from tollgate.core.money import ZERO
from tollgate.metering.model import Account, Entitlement
from tollgate.settings import Settings
from tollgate.table import keys

VERSION_KEY = (keys.CATALOGUE, keys.CATALOGUE_VERSION)
_ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Hint:
    """What the authorizer's context says belongs to the key, to be read along with it."""

    key_id: str = ""
    team_id: str = ""
    organization_id: str = ""


class EntitlementReader:
    """Reads and checks, in the order of Q-10."""

    def __init__(self, db: DynamoDB, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    async def read(self, credential: str, hint: Hint) -> Entitlement:
        """The caller's entitlement. Raises the first row of Q-10 that refuses him."""
        if is_master_key(credential, self._settings.master_key_sha256):
            found = await self._db.batch_get(self._settings.table_name, [VERSION_KEY])
            return Entitlement(_version(found.get(VERSION_KEY)))
        key_id = key_id_of(credential)
        items = await self._items(key_id, hint if hint.key_id == key_id else Hint())
        key, team, organization = items.key, items.team, items.organization
        _check_states(key, team, organization)
        return Entitlement(
            catalogue_version=items.version,
            key_id=key_id,
            key_entries=_entries(key),
            team_id=_text(key, "team_id"),
            team_uid=_text(team, "uid"),
            team_entries=_entries(team) if team else None,
            organization_id=_text(organization, "organization_id"),
            organization_uid=_text(organization, "uid"),
            user_id=_text(key, "user_id"),
            account=_account(team, organization),
        )

    async def _items(self, key_id: str, hint: Hint) -> _Items:
        """One batch when the hint was right, two when it was not."""
        wanted = [(keys.key(key_id), keys.ENTITY), VERSION_KEY, *_owners(hint.team_id, hint.organization_id)]
        table = self._settings.table_name
        found = await self._db.batch_get(table, wanted)
        key = found.get((keys.key(key_id), keys.ENTITY))
        if key is None or _text(key, "status") != _ACTIVE:
            raise _unknown()
        owners = _owners(_text(key, "team_id") or "", _text(key, "organization_id") or "")
        if not set(owners) <= set(wanted):
            found |= await self._db.batch_get(table, owners)
        team_key = (keys.team(_text(key, "team_id") or ""), keys.ENTITY)
        organization_key = (keys.organization(_text(key, "organization_id") or ""), keys.ENTITY)
        return _Items(key, found.get(team_key), found.get(organization_key), _version(found.get(VERSION_KEY)))


@dataclass(frozen=True, slots=True)
class _Items:
    key: Item
    team: Item | None
    organization: Item | None
    version: int


def _owners(team_id: str, organization_id: str) -> list[tuple[str, str]]:
    owners = []
    if team_id:
        owners.append((keys.team(team_id), keys.ENTITY))
    if organization_id:
        owners.append((keys.organization(organization_id), keys.ENTITY))
    return owners


def _check_states(key: Item, team: Item | None, organization: Item | None) -> None:
    """The rows of Q-10 from 'deleted' to 'paused', in their order."""
    if "team_id" in key and (team is None or _flag(team, "deleting") or _text(team, "uid") != _text(key, "team_uid")):
        raise _unknown()
    if "organization_id" in key and (organization is None or _flag(organization, "deleting")):
        raise _unknown()
    if team is not None and organization is not None and _text(team, "organization_uid") != _text(organization, "uid"):
        raise _unknown()
    expires_at = _text(key, "expires_at")
    if expires_at and clock.from_stored(expires_at) <= clock.utc_now():
        raise KeyExpiredError
    for name, item in (("Key", key), ("Team", team), ("Organization", organization)):
        if item is not None and _flag(item, "blocked"):
            raise BlockedError(name, _text(item, f"{name.lower()}_id") or "")
    if organization is not None and _text(organization, "status") != _ACTIVE:
        raise OrganizationSuspendedError
    match _text(team, "status"):
        case "suspended":
            raise TeamSuspendedError
        case "paused":
            raise TeamPausedError


def _unknown() -> UnauthenticatedError:
    """Revoked and deleted are the same as never issued (Q-10)."""
    return UnauthenticatedError(code="token_not_found_in_db")


def _account(team: Item | None, organization: Item | None) -> Account | None:
    """The one account that pays (Q-06), with the team's way of counting."""
    source = _text(team, "credits_source")
    uid = _text(team, "uid") if source == "team" else _text(organization, "uid") if source == "organization" else None
    if uid is None or team is None:
        return None
    return Account(
        uid=uid,
        budget_mode=_text(team, "budget_mode") or "job_based",
        credits_per_dollar=_number(team, "credits_per_dollar") or Decimal(10),
        tokens_per_credit=int(_number(team, "tokens_per_credit") or 10_000),
        markup=_number(team, "cost_markup_percentage") or ZERO,
    )


def _entries(item: Item) -> tuple[str, ...] | None:
    """The models that this level lists (Q-23); None where it does not restrict."""
    if _text(item, "model_access") != "listed":
        return None
    names = [*item.get("access_groups", {}).get("L", ()), *item.get("models", {}).get("L", ())]
    return tuple(name["S"] for name in names)


def _version(item: Item | None) -> int:
    return int(item["number"]["N"]) if item else 0


def _text(item: Item | None, name: str) -> str | None:
    return item[name]["S"] if item is not None and name in item else None


def _number(item: Item, name: str) -> Decimal | None:
    return Decimal(item[name]["N"]) if name in item else None


def _flag(item: Item, name: str) -> bool:
    return bool(item.get(name, {}).get("BOOL"))
