"""Bodies of the dialect's team endpoints, and what they mean in the domain (contract litellm 1.4, appendix A)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, model_validator

from tollgate.core.fields import Alias, Metadata, Name
from tollgate.core.object_permissions import ObjectPermission
from tollgate.limits.fields import LIMIT_FIELDS, Count, Duration, LooseId, Tags, Usd
from tollgate.litellm.fields import DialectLimits, DialectRequest, sent
from tollgate.teams.member_fields import KeyDuration, MemberLimits, MemberModels
from tollgate.teams.model import MemberPermissions, ModelAliases, NewTeam, UpdateTeam
from tollgate.tenants.model_access import MOST_ENTRIES
from tollgate.users.model import Email

MOST_AT_ONCE = 500
# Under which name metadata shows what limits members.
MEMBER_BUDGET_ID = "team_member_budget_id"
_IN_METADATA = ("model_rpm_limit", "model_tpm_limit", "team_member_key_duration")
_SAME = (
    "team_alias",
    "metadata",
    "tags",
    "blocked",
    "team_member_permissions",
    "object_permission",
    "model_aliases",
)
_RENAMED = {
    "team_member_key_duration": "member_key_duration",
    "default_team_member_models": "default_member_models",
}
_MEMBER_LIMITS = {
    "team_member_budget": "max_budget",
    "team_member_budget_duration": "budget_duration",
    "team_member_rpm_limit": "rpm_limit",
    "team_member_tpm_limit": "tpm_limit",
}
# What a field that is sent as null is at creation.
_EMPTY: dict[str, Any] = {"metadata": {}, "tags": [], "blocked": False}

Models = Annotated[list[Alias], Field(max_length=MOST_ENTRIES)]
TeamRole = Literal["admin", "user"]


class Who(DialectRequest):
    """A user by his id, else by his e-mail address."""

    user_id: LooseId | None = None
    user_email: Email | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.user_id is None and self.user_email is None:
            message = "Either user id or user email must be provided"
            raise ValueError(message)
        return self


class NewTeamMember(Who):
    role: TeamRole


class _Fields(DialectLimits):
    """What both creation and change may say. The limits of single models may also come in ``metadata``: rows show them
    there, and clients send rows back.
    """

    team_alias: Name | None = None
    organization_id: Annotated[str, Field(max_length=256)] | None = None
    models: Models | None = None
    metadata: Metadata | None = None
    tags: Tags | None = None
    blocked: StrictBool | None = None
    team_member_permissions: MemberPermissions | None = None
    object_permission: ObjectPermission | None = None
    model_aliases: ModelAliases | None = None
    default_team_member_models: MemberModels | None = None
    team_member_budget: Usd | None = None
    team_member_budget_duration: Duration | None = None
    team_member_rpm_limit: Count | None = None
    team_member_tpm_limit: Count | None = None
    team_member_key_duration: KeyDuration | None = None

    @model_validator(mode="before")
    @classmethod
    def _flattened(cls, data: Any) -> Any:
        metadata = data.get("metadata") if isinstance(data, dict) else None
        if not isinstance(metadata, dict):
            return data
        data = {name: metadata[name] for name in _IN_METADATA if name in metadata} | data
        # The id of the members' budget is for looking on.
        shown = {*_IN_METADATA, MEMBER_BUDGET_ID}
        return data | {"metadata": {name: value for name, value in metadata.items() if name not in shown}}

    def domain(self) -> dict[str, Any]:
        """The fields that were sent, as the domain calls them, but for models and organization."""
        values = sent(self, *_SAME, *LIMIT_FIELDS)
        values |= {_RENAMED[name]: value for name, value in sent(self, *_RENAMED).items()}
        limits = {_MEMBER_LIMITS[name]: value for name, value in sent(self, *_MEMBER_LIMITS).items()}
        return values | ({"member_limits": MemberLimits(**limits)} if limits else {})


class CreateTeamRow(_Fields):
    """A team; its id is made up where none is sent. Each of ``members_with_roles`` becomes a member, and a user."""

    team_id: LooseId | None = None
    members_with_roles: Annotated[list[NewTeamMember], Field(max_length=MOST_AT_ONCE, default_factory=list)]

    def team(self, team_id: str) -> NewTeam:
        values = self.domain()
        values |= {name: values[name] or empty for name, empty in _EMPTY.items() if name in values}
        values |= {"team_id": team_id, "organization_id": self.organization_id or None}
        return NewTeam.model_construct(set(values), **values)


class PatchTeamRow(_Fields):
    """Only what is sent changes; null clears; metadata is replaced (Q-25)."""

    def change(self) -> UpdateTeam:
        values = self.domain()
        return UpdateTeam.model_construct(set(values), **values)


class UpdateTeamRow(PatchTeamRow):
    team_id: LooseId


class TeamId(DialectRequest):
    team_id: LooseId


class TeamIds(DialectRequest):
    team_ids: Annotated[list[LooseId], Field(min_length=1, max_length=MOST_AT_ONCE)]


class TeamModels(TeamId):
    models: Models


class TeamPermissions(TeamId):
    team_member_permissions: MemberPermissions


class AddTeamMembers(DialectLimits):
    """``max_budget_in_team`` (USD) and the other limits are what each of them may use in it."""

    team_id: LooseId
    member: NewTeamMember | Annotated[list[NewTeamMember], Field(min_length=1, max_length=MOST_AT_ONCE)]
    max_budget_in_team: Usd | None = None


class ChangeTeamMember(Who, DialectLimits):
    """Only what is sent changes; a null limit is taken away."""

    team_id: LooseId
    role: TeamRole | None = None
    max_budget_in_team: Usd | None = None


class RemoveTeamMember(Who):
    team_id: LooseId


class AddManyMembers(DialectLimits):
    """Up to 500, each with a result of his own."""

    team_id: LooseId
    members: list[NewTeamMember]
    max_budget_in_team: Usd | None = None
