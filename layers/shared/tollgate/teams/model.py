"""Teams as requests, answers and domain objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StringConstraints, WithJsonSchema

from tollgate.core.fields import (
    Alias,
    Amount,
    Credits,
    ExternalId,
    Metadata,
    Name,
    Reason,
    RequestModel,
    ResponseModel,
    Timestamp,
    not_a_bool,
)
from tollgate.core.money import quantise
from tollgate.core.object_permissions import ObjectPermission
from tollgate.limits.account import AccountSettings, CreditsSource
from tollgate.limits.account_fields import AccountShards, TeamAccountFields
from tollgate.limits.fields import LimitFields, LimitsAnswer, LooseId, SpendAnswer, Tags, Usd
from tollgate.limits.model import NO_LIMITS, Limits
from tollgate.teams.member_fields import KeyDuration, MemberLimits, MemberModels

DEFAULT_CREDITS_PER_DOLLAR = Decimal(10)
DEFAULT_TOKENS_PER_CREDIT = 10_000
# A list may be replaced whole in one transaction: 4 items for each entry, of the 100 that DynamoDB takes.
MAX_ACCESS_GROUPS = 20


class TeamStatus(StrEnum):
    """Q-11: everything but ``active`` refuses every request of the team's keys."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    PAUSED = "paused"


class ModelAccess(StrEnum):
    """Whether the team's calls may use every model, or those that it lists (Q-23)."""

    ALL = "all"
    LISTED = "listed"


class BudgetMode(StrEnum):
    """What a credit buys (contract 3.2)."""

    JOB_BASED = "job_based"
    CONSUMPTION_USD = "consumption_usd"
    CONSUMPTION_TOKENS = "consumption_tokens"


@dataclass(frozen=True, slots=True)
class Team:
    """A stored team. ``uid`` is internal; ``key_id`` and ``key_mask`` are its primary key's.

    ``credits_per_dollar`` and ``tokens_per_credit`` are None where the defaults count. ``allocated_budget`` is its
    share of the organization's budget in USD. Calls are spread over ``account_shards`` of its ``account_items`` counter
    items (decision 18). ``charge_failed_jobs``: a completed job is charged although some of its calls failed (Q-57).
    ``team_member_permissions`` are the routes that members may use on its keys; None: the baseline.
    """

    team_id: str
    uid: str
    organization_id: str | None
    organization_uid: str | None
    team_alias: str | None
    status: TeamStatus
    status_reason: str | None
    blocked: bool
    deleting: bool
    access_groups: tuple[str, ...]
    budget_mode: BudgetMode
    credits_per_dollar: Decimal | None
    tokens_per_credit: int | None
    cost_markup_percentage: Decimal
    key_id: str | None
    key_mask: str | None
    created_at: datetime
    updated_at: datetime
    version: int = 1
    credits_source: CreditsSource = CreditsSource.TEAM
    account: AccountSettings = field(default_factory=AccountSettings)
    limits: Limits = NO_LIMITS
    tags: tuple[str, ...] = ()
    allocated_budget: Decimal | None = None
    account_shards: int = 1
    account_items: int = 1
    first_call_at: datetime | None = None
    charge_failed_jobs: bool = False
    # Aliases that it may use besides those of its access groups.
    models: tuple[str, ...] = ()
    default_model: str | None = None
    credit_price_usd: Decimal | None = None
    model_access: ModelAccess = ModelAccess.LISTED
    team_member_permissions: tuple[str, ...] | None = None
    object_permission_id: str | None = None
    # Of members who have nothing of their own: the shared row that limits them, how long their keys live, their models.
    member_budget_id: str | None = None
    member_key_duration: str | None = None
    default_member_models: tuple[str, ...] = ()
    model_aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def model_groups(self) -> tuple[str, ...]:
        """Everything that its calls may use, under the reference documentation's name (D-11)."""
        return (*self.access_groups, *self.models)

    @property
    def rate_usd(self) -> Decimal:
        """Credits that a dollar buys."""
        return self.credits_per_dollar or DEFAULT_CREDITS_PER_DOLLAR

    @property
    def price_usd(self) -> Decimal | None:
        """What a credit is worth in USD; None where its worth is not known (Q-19)."""
        if self.credit_price_usd is not None or self.budget_mode is BudgetMode.CONSUMPTION_TOKENS:
            return self.credit_price_usd
        return Decimal(1) if self.budget_mode is BudgetMode.JOB_BASED else quantise(1 / self.rate_usd)


def _distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


AccessGroups = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=64)]],
    Field(max_length=MAX_ACCESS_GROUPS, examples=[["gpt-models"]]),
    AfterValidator(_distinct),
]
# What the reference documentation calls them: access groups and single aliases (D-11).
ModelGroups = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=255)]],
    Field(max_length=MAX_ACCESS_GROUPS, examples=[["gpt-models", "fast"]]),
    AfterValidator(_distinct),
]
# Routes, as LiteLLM's clients write them (contract litellm 2.5).
MemberPermissions = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=128)]],
    Field(max_length=50, examples=[["/key/generate"]]),
    AfterValidator(_distinct),
]
# A team of that id could not be read: the path means something else.
_RESERVED_IDS = frozenset({"verify"})
Rate = Annotated[
    Decimal,
    BeforeValidator(not_a_bool),
    Field(gt=0, le=1_000_000, max_digits=18, decimal_places=6),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000}),
]
TokensPerCredit = Annotated[int, BeforeValidator(not_a_bool), Field(strict=True, gt=0, le=10**12)]
CreditPrice = Annotated[
    Decimal,
    BeforeValidator(not_a_bool),
    Field(ge=0, le=1_000_000, max_digits=18, decimal_places=12),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1_000_000}),
]
Markup = Annotated[
    Decimal,
    BeforeValidator(not_a_bool),
    Field(ge=0, max_digits=5, decimal_places=2),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 999.99}),
]


ModelAliases = Annotated[dict[Alias, Alias], Field(max_length=50, examples=[{"cheap": "gpt-4o-mini"}])]


def _not_reserved(team_id: str) -> str:
    if team_id in _RESERVED_IDS:
        message = f"'{team_id}' is the name of an endpoint"
        raise ValueError(message)
    return team_id


class NewTeam(LimitFields, TeamAccountFields):
    """What a team is made with. ``model_groups`` instead of ``access_groups`` may also name single aliases."""

    organization_id: LooseId | None = None
    team_id: LooseId
    team_alias: Name | None = None
    model_access: ModelAccess | None = None
    access_groups: AccessGroups | None = None
    model_groups: ModelGroups | None = None
    default_model: Alias | None = None
    credits_allocated: Credits = 0
    budget_mode: BudgetMode = BudgetMode.JOB_BASED
    credits_per_dollar: Rate | None = None
    tokens_per_credit: TokensPerCredit | None = None
    cost_markup_percentage: Markup = Decimal(0)
    credit_price_usd: CreditPrice | None = None
    charge_failed_jobs: StrictBool = False
    metadata: Annotated[Metadata, Field(default_factory=dict)]
    tags: Annotated[Tags, Field(default_factory=list)]
    allocated_budget: Usd | None = None
    blocked: StrictBool = False
    team_member_permissions: MemberPermissions | None = None
    object_permission: ObjectPermission | None = None
    member_limits: MemberLimits | None = None
    member_key_duration: KeyDuration | None = None
    default_member_models: MemberModels | None = None
    model_aliases: ModelAliases | None = None


class CreateTeam(NewTeam):
    """The same in the native API, where every team has an organization (Q-02, Q-03)."""

    organization_id: ExternalId
    team_id: Annotated[ExternalId, AfterValidator(_not_reserved)]


class UpdateTeam(LimitFields, TeamAccountFields):
    """Only the fields that are sent change; null puts one back to its default (Q-25)."""

    team_alias: Name | None = None
    model_access: ModelAccess | None = None
    access_groups: AccessGroups | None = None
    model_groups: ModelGroups | None = None
    default_model: Alias | None = None
    budget_mode: BudgetMode | None = None
    credits_per_dollar: Rate | None = None
    tokens_per_credit: TokensPerCredit | None = None
    cost_markup_percentage: Markup | None = None
    credit_price_usd: CreditPrice | None = None
    charge_failed_jobs: StrictBool | None = None
    metadata: Metadata | None = None
    tags: Tags | None = None
    allocated_budget: Usd | None = None
    account_shards: AccountShards | None = None
    blocked: StrictBool | None = None
    team_member_permissions: MemberPermissions | None = None
    object_permission: ObjectPermission | None = None
    member_limits: MemberLimits | None = None
    member_key_duration: KeyDuration | None = None
    default_member_models: MemberModels | None = None
    model_aliases: ModelAliases | None = None


class SetModelGroups(RequestModel):
    model_groups: ModelGroups


class ChangeStatus(RequestModel):
    """Body of suspend, pause and resume; it may be left out."""

    reason: Reason | None = None


class _Settings(LimitsAnswer):
    """What every answer about a team says of it. ``virtual_key`` is masked (D-2)."""

    team_id: str
    organization_id: str | None
    team_alias: str | None
    virtual_key: str | None
    credits_allocated: Amount
    credits_remaining: Amount
    status: TeamStatus
    model_access: ModelAccess
    access_groups: list[str]
    model_groups: list[str]
    default_model: str | None
    budget_mode: BudgetMode
    credits_per_dollar: Amount
    tokens_per_credit: int
    cost_markup_percentage: Amount
    credit_price_usd: Amount | None
    charge_failed_jobs: bool
    credits_source: CreditsSource
    tags: list[str]
    allocated_budget: Amount | None
    blocked: bool
    team_member_permissions: list[str] | None
    object_permission_id: str | None
    member_budget_id: str | None
    member_key_duration: str | None
    default_member_models: list[str]
    model_aliases: dict[str, str]
    created_at: Timestamp


class TeamCreated(_Settings):
    """Answer of the creation: here, and only here, ``virtual_key`` is the key itself.

    ``allowed_models`` are the entries of its access groups, and the aliases that it has besides.
    """

    allowed_models: list[str]
    message: str


class TeamSummary(_Settings):
    """An entry of the list."""


class UsageSummary(ResponseModel):
    total_jobs: int
    total_cost_usd: Amount


class TeamCredits(ResponseModel):
    """The account as the reference documentation shows it with the team."""

    team_id: str
    organization_id: str | None
    credits_allocated: Amount
    credits_used: Amount
    credits_remaining: Amount
    virtual_key: str | None


class ModelGroupsAssigned(ResponseModel):
    team_id: str
    model_groups: list[str]
    message: str


class TeamAnswer(_Settings, SpendAnswer):
    """A team in full. ``credits_per_dollar`` and ``tokens_per_credit`` show the defaults where they count."""

    allowed_models: list[str]
    credits: TeamCredits

    credits_used: Amount
    credits_reserved: Amount
    key_id: str | None
    status_reason: str | None
    metadata: dict[str, object]
    usage_summary: UsageSummary
    account_shards: int
    first_call_at: Timestamp | None
    updated_at: Timestamp


class TeamList(ResponseModel):
    teams: list[TeamSummary]
    next_cursor: str | None = None
    truncated: bool = False


class TeamStatusAnswer(ResponseModel):
    team_id: str
    status: TeamStatus
    message: str


class KeyRotated(ResponseModel):
    """The new primary key, shown once; the old one is dead by now."""

    team_id: str
    virtual_key: str
    key_id: str


class TeamDeleted(ResponseModel):
    team_id: str
    deleted: bool
    # ``done``, or ``running`` while its contents still go.
    state: str
    keys_deleted: int
