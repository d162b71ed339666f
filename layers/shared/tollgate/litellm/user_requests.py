"""Bodies of the dialect's user endpoints, and what they mean in the domain (contract litellm 1.5, appendix A)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from tollgate.auth.principal import Role
from tollgate.core.object_permissions import ObjectPermission
from tollgate.limits.fields import LIMIT_FIELDS, LooseId, Usd
from tollgate.limits.model import Scope
from tollgate.litellm.fields import DialectRequest
from tollgate.litellm.key_requests import GenerateKey, KeyFields, change_of
from tollgate.litellm.members import USER_ROLES
from tollgate.litellm.team_requests import TeamRole
from tollgate.tenants.new_users import Place
from tollgate.users.model import (
    CacheControls,
    CreateUser,
    Email,
    MemberFields,
    Password,
    Region,
    Tokens,
    UpdateUser,
    User,
    UserRole,
)

MOST_AT_ONCE = 500
_MOST_PLACES = 100
_RATES = ("model_rpm_limit", "model_tpm_limit")
GlobalRole = Literal["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"]
STORED_ROLES: dict[GlobalRole, UserRole] = {
    "proxy_admin": UserRole.PLATFORM_ADMIN,
    "proxy_admin_viewer": UserRole.PLATFORM_VIEWER,
    "internal_user": UserRole.MEMBER,
    "internal_user_viewer": UserRole.MEMBER_VIEWER,
}
_TEAM_ROLES = {"admin": Role.TEAM_ADMIN, "user": Role.TEAM_MEMBER}
# Fields by their names in the domain.
_NAMES = {
    "user_email": "email",
    "user_alias": "display_name",
    "metadata": "metadata",
    "sso_user_id": "sso_user_id",
    "allowed_model_region": "allowed_model_region",
    "allowed_model_max_input_tokens": "allowed_model_max_input_tokens",
    "allowed_model_max_output_tokens": "allowed_model_max_output_tokens",
    "allowed_cache_controls": "allowed_cache_controls",
    "object_permission": "object_permission",
    "password": "password",
}
# What is said of the key that is made with a user; all else is said of himself.
_OF_KEY = frozenset(
    {
        "key_alias",
        "duration",
        "aliases",
        "config",
        "permissions",
        "allowed_cache_controls",
        "allowed_routes",
        "guardrails",
        "prompts",
        "enforced_params",
        "tags",
    }
)


class UserFields(KeyFields):
    """What creation and change may say: ``duration`` is how long his access lasts from now, ``blocked`` ends it until
    it is taken back. The limits of single models may also come in ``metadata``: rows show them there.
    """

    user_id: LooseId | None = None
    user_email: Email | None = None
    user_alias: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    user_role: GlobalRole | None = None
    sso_user_id: LooseId | None = None
    allowed_model_region: Region | None = None
    allowed_model_max_input_tokens: Tokens | None = None
    allowed_model_max_output_tokens: Tokens | None = None
    allowed_cache_controls: CacheControls | None = None
    object_permission: ObjectPermission | None = None
    password: Password | None = None

    @model_validator(mode="before")
    @classmethod
    def _flattened(cls, data: Any) -> Any:
        metadata = data.get("metadata") if isinstance(data, dict) else None
        if not isinstance(metadata, dict):
            return data
        data = {name: metadata[name] for name in _RATES if name in metadata} | data
        return data | {"metadata": {name: value for name, value in metadata.items() if name not in _RATES}}

    def domain(self) -> dict[str, Any]:
        """The fields that were sent, as the domain calls them; an empty list of models is every model."""
        sent = self.model_fields_set
        values = {name: getattr(self, name) for name in sent & LIMIT_FIELDS}
        values |= {own: getattr(self, name) for name, own in _NAMES.items() if name in sent}
        if "user_alias" in sent:
            values["display_name"] = self.user_alias or None
        if "models" in sent:
            values["models"] = self.models or None
        if "blocked" in sent:
            values["is_active"] = not self.blocked
        if "duration" in sent:
            values["access_expires_at"] = change_of(KeyFields(duration=self.duration)).values["expires_at"]
        if self.user_role is not None:
            values["role"] = STORED_ROLES[self.user_role]
        return values

    def created(self) -> CreateUser:
        """A new user; what is sent as null is not there."""
        values = {name: value for name, value in self.domain().items() if value is not None}
        if self.user_id is not None:
            values["user_id"] = self.user_id
        return CreateUser.model_construct(set(values), **values)


class TeamPlace(DialectRequest):
    """A team that a new user is to be a member of; ``max_budget_in_team`` (USD) is what he may spend in it."""

    team_id: LooseId
    max_budget_in_team: Usd | None = None
    user_role: TeamRole = "user"


class NewUser(UserFields):
    """A user, with a key unless ``auto_create_key`` is false; the key is his team's if ``team_id`` says one."""

    teams: Annotated[list[LooseId | TeamPlace], Field(max_length=_MOST_PLACES)] | None = None
    organizations: Annotated[list[LooseId], Field(max_length=_MOST_PLACES)] | None = None
    auto_create_key: bool = True

    def places(self) -> list[Place]:
        """Where he is to be a member, each once."""
        organizations = dict.fromkeys([*(self.organizations or ()), *_named(self.organization_id)])
        teams: dict[str, TeamPlace] = {}
        for entry in [*(self.teams or ()), *_named(self.team_id)]:
            place = entry if isinstance(entry, TeamPlace) else TeamPlace(team_id=entry)
            teams.setdefault(place.team_id, place)
        return [
            *(Place(Scope.ORGANIZATION_MEMBER, name, MemberFields()) for name in organizations),
            *(Place(Scope.TEAM_MEMBER, name, _member(place)) for name, place in teams.items()),
        ]

    def key(self, user_id: str, organization_id: str | None) -> GenerateKey:
        """The key that is made with him; it is his team's, else the organization's, else his own."""
        sent = self.model_fields_set & _OF_KEY
        values = {name: getattr(self, name) for name in sent}
        values |= {"user_id": user_id, "team_id": self.team_id or None}
        if values["team_id"] is None:
            values["organization_id"] = organization_id
        return GenerateKey.model_construct(set(values), **values)


class ChangeUser(UserFields):
    """Only what is sent changes; null clears (Q-25). Without ``user_id`` the address says who is meant."""

    def change(self, user: User, *, named_by_email: bool) -> UpdateUser:
        """What is to become of the user; a role that he is shown with already is no change."""
        values = self.domain()
        if named_by_email:
            del values["email"]
        if self.user_role == USER_ROLES[user.role]:
            del values["role"]
        return UpdateUser.model_construct(set(values), **values)


class ChangeUsers(DialectRequest):
    """Up to 500 users, each with what is to become of him; or the same for all that there are."""

    users: Annotated[list[ChangeUser], Field(max_length=MOST_AT_ONCE)] | None = None
    all_users: bool = False
    user_updates: ChangeUser | None = None


class UserIds(DialectRequest):
    user_ids: Annotated[list[LooseId], Field(min_length=1, max_length=MOST_AT_ONCE)]


def _named(owner_id: str | None) -> list[str]:
    return [owner_id] if owner_id else []


def _member(place: TeamPlace) -> MemberFields:
    fields: dict[str, Any] = {"role": _TEAM_ROLES[place.user_role]}
    if place.max_budget_in_team is not None:
        fields["max_budget"] = place.max_budget_in_team
    return MemberFields.model_construct(set(fields), **fields)
