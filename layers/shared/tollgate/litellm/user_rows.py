"""Users as rows of the dialect (contract litellm 1.5, appendix A)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tollgate.auth.policy import PLATFORM, Action, Owner, has_role
from tollgate.auth.principal import Principal
from tollgate.core.fields import Amount
from tollgate.keys import repository as keys
from tollgate.keys.access import is_of, owner_of
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.limits.fields import SpendAnswer
from tollgate.limits.model import Scope
from tollgate.litellm import object_permissions
from tollgate.litellm.budget_tables import model_rates
from tollgate.litellm.budgets import ModelBudgetRow, model_budget_rows
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.litellm.members import USER_ROLES
from tollgate.litellm.object_permissions import ObjectPermissionRow
from tollgate.tenants import spending
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import Membership, User
from tollgate.users.service import user_service


class UserRow(DialectRow):
    """A user. ``team_id`` and ``organization_id`` are the one that he is in, null for several or none.

    ``blocked``, ``access_expires_at`` and ``allowed_model_*`` are Tollgate's own.
    """

    user_id: str
    user_alias: str | None
    user_email: str | None
    user_role: str
    sso_user_id: str | None
    team_id: str | None
    organization_id: str | None
    teams: list[str]
    organizations: list[str]
    models: list[str]
    blocked: bool
    access_expires_at: Moment | None
    allowed_model_region: str | None
    allowed_model_max_input_tokens: int | None
    allowed_model_max_output_tokens: int | None
    spend: Amount
    model_spend: dict[str, Amount]
    max_budget: Amount | None
    soft_budget: Amount | None
    budget_duration: str | None
    budget_reset_at: Moment | None
    budget_id: str | None
    temp_budget_increase: Amount | None
    temp_budget_expiry: Moment | None
    tpm_limit: int | None
    rpm_limit: int | None
    tpd_limit: int | None
    max_parallel_requests: int | None
    model_max_budget: dict[str, ModelBudgetRow]
    model_rpm_limit: dict[str, int] | None
    model_tpm_limit: dict[str, int] | None
    allowed_cache_controls: list[str]
    metadata: dict[str, Any]
    object_permission: ObjectPermissionRow | None
    object_permission_id: str | None
    created_at: Moment
    updated_at: Moment


@dataclass(frozen=True, slots=True)
class Seen:
    """A user with what of his the caller sees: an organization's administrator nothing of other tenants'."""

    user: User
    places: list[Membership]
    keys: list[VirtualKey]

    @property
    def teams(self) -> list[Membership]:
        return [place for place in self.places if place.scope is Scope.TEAM_MEMBER]

    @property
    def organizations(self) -> list[Membership]:
        return [place for place in self.places if place.scope is Scope.ORGANIZATION_MEMBER]


def seen(caller: Principal, user: User, *, with_keys: bool = True) -> Seen:
    """The user's memberships, oldest first, and his active keys, newest first."""
    places = sorted(memberships.all_of_user(user.uid), key=lambda one: (one.created_at, one.owner_id))
    own = keys.all_of_user(user.user_id) if with_keys else ()
    active = [key for key in own if key.status is KeyStatus.ACTIVE and is_of(user, key)]
    if caller.user_id == user.user_id or has_role(caller, Action.USER_READ, PLATFORM):
        return Seen(user, places, active)
    return Seen(
        user,
        [one for one in places if has_role(caller, Action.USER_LIST, Owner(one.organization_id, one.team_id))],
        [key for key in active if has_role(caller, Action.KEY_LIST, owner_of(key))],
    )


def rows(found: Sequence[Seen]) -> list[UserRow]:
    """The users with their metadata and what they spent in this window, read for all together."""
    return [UserRow(**fields) for fields in all_fields(found)]


def all_fields(found: Sequence[Seen]) -> list[dict[str, Any]]:
    """The members of each user's row."""
    spends = spending.of_all([spending.user_spender(one.user) for one in found], user_service().clock())
    metadata = users.metadata_of_all(one.user.user_id for one in found)
    return [_fields(one, spend, metadata.get(one.user.user_id, {})) for one, spend in zip(found, spends, strict=True)]


def _fields(one: Seen, spend: SpendAnswer, metadata: dict[str, Any]) -> dict[str, Any]:
    user, own = one.user, one.user.limits
    rates = model_rates(own)
    teams = [place.owner_id for place in one.teams]
    organizations = [place.owner_id for place in one.organizations]
    return {
        **{name: getattr(user, name) for name in _SAME},
        **{name: getattr(own, name) for name in _LIMITS},
        "user_alias": user.display_name,
        "user_email": user.email,
        "user_role": USER_ROLES[user.role],
        "team_id": teams[0] if len(teams) == 1 else None,
        "organization_id": organizations[0] if len(organizations) == 1 else None,
        "teams": teams,
        "organizations": organizations,
        "models": list(user.models or ()),
        "blocked": not user.is_active,
        "spend": spend.spend,
        "model_spend": {model: window.spend for model, window in spend.model_spend.items()},
        "budget_reset_at": spend.budget_reset_at,
        "model_max_budget": model_budget_rows(own),
        "model_rpm_limit": rates.get("model_rpm_limit"),
        "model_tpm_limit": rates.get("model_tpm_limit"),
        "allowed_cache_controls": list(user.allowed_cache_controls),
        "metadata": metadata | rates,
        "object_permission": _permission(user),
    }


_SAME = (
    "user_id",
    "sso_user_id",
    "access_expires_at",
    "allowed_model_region",
    "allowed_model_max_input_tokens",
    "allowed_model_max_output_tokens",
    "object_permission_id",
    "created_at",
    "updated_at",
)
_LIMITS = (
    "max_budget",
    "soft_budget",
    "budget_duration",
    "budget_id",
    "temp_budget_increase",
    "temp_budget_expiry",
    "tpm_limit",
    "rpm_limit",
    "tpd_limit",
    "max_parallel_requests",
)


def _permission(user: User) -> ObjectPermissionRow | None:
    if user.object_permission_id is None:
        return None
    return object_permissions.row_of(user.object_permission_id, users.object_permission_of(user.user_id))
