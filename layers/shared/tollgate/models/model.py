"""Model aliases and access groups as requests, answers and domain objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from tollgate.core.fields import Alias, Amount, ExternalId, Name, Price, RequestModel, ResponseModel, Timestamp, Url
from tollgate.models.access import EVERYTHING, NOTHING
from tollgate.models.prices import PriceSource, Provider

MAX_FALLBACKS = 10
# What one group may hold, so that its item stays far below what a table item holds.
MAX_GROUP_MODELS = 500
PROVIDERS = ", ".join(provider.value for provider in Provider)


class Mode(StrEnum):
    CHAT = "chat"
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls of an alias go.

    Attributes:
        target_id: opaque, unique in the catalogue.
        priority: 0 is tried first.
        weight: divides the calls among targets of equal priority.
        pricing_input, pricing_output, pricing_cached_input: overrides in USD per million tokens; None: the catalogue's.
        is_active: one that is not is never tried.
        region: where the provider works on it, where somebody has said so.
        base_model: by whose price it counts, where the name of the model says nothing (a deployment's).
        rpm, tpm: calls and tokens a minute that the provider grants; shown only.
        credential_id: the platform's credential that counts for it, instead of the provider's active one.
        ciphertext, last4: a secret of its own (base64), sealed under the platform and ``target_id``, and its end.
        options: what the provider's address is made of; they win over the credential's.
    """

    target_id: str
    litellm_model: str
    priority: int
    weight: int
    api_base: str | None
    pricing_input: Decimal | None
    pricing_output: Decimal | None
    pricing_cached_input: Decimal | None
    price_source: PriceSource
    is_active: bool = True
    region: str | None = None
    base_model: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    credential_id: str | None = None
    ciphertext: str | None = field(default=None, repr=False)
    last4: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def provider(self) -> str:
        return self.litellm_model.partition("/")[0]

    @property
    def priced_as(self) -> str:
        """The name that the price catalogue is asked for."""
        return self.base_model or self.litellm_model

    @property
    def upstream_model(self) -> str:
        return self.litellm_model.partition("/")[2]


@dataclass(frozen=True, slots=True)
class ModelAlias:
    """A stored alias; its targets in order of priority."""

    alias: str
    uid: str
    display_name: str | None
    description: str | None
    active: bool
    mode: Mode
    context_window: int | None
    max_output_tokens: int | None
    targets: tuple[Target, ...]
    created_at: datetime
    updated_at: datetime
    version: int
    created_by: str | None = None
    updated_by: str | None = None


@dataclass(frozen=True, slots=True)
class AccessGroup:
    """A set of aliases and wildcards. ``version`` 0: a builtin group that is not stored."""

    group_name: str
    description: str | None
    model_aliases: tuple[str, ...]
    team_count: int
    builtin: bool
    created_at: datetime | None
    updated_at: datetime | None
    version: int


def _of_a_provider(value: str) -> str:
    provider, _, name = value.partition("/")
    if provider not in set(Provider) or not name:
        message = f"must be provider/model with a provider of {PROVIDERS}"
        raise ValueError(message)
    return value


def _an_alias(value: str) -> str:
    if value in EVERYTHING or value == NOTHING:
        message = f"'{value}' has a meaning of its own in access lists"
        raise ValueError(message)
    return value


LitellmModel = Annotated[
    Alias,
    AfterValidator(_of_a_provider),
    Field(description=f"`provider/model`; providers: {PROVIDERS}", examples=["openai/gpt-4o"]),
]
NewAlias = Annotated[Alias, AfterValidator(_an_alias)]
Description = Annotated[str, StringConstraints(max_length=1000)]
TokenCount = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]
Fallbacks = Annotated[list[LitellmModel], Field(max_length=MAX_FALLBACKS)]
GroupModels = Annotated[list[Alias], Field(max_length=MAX_GROUP_MODELS)]


class CreateModelAlias(RequestModel):
    """An alias with its targets (Q-24).

    Prices (USD per million tokens) and ``api_base`` are those of ``litellm_model``; ``fallbacks`` are tried after it,
    in their order, at the catalogue's prices.
    """

    alias: NewAlias
    litellm_model: LitellmModel
    description: Description | None = None
    display_name: Name | None = None
    active: Annotated[bool, Field(strict=True)] = True
    fallbacks: Fallbacks = Field(default_factory=list)
    pricing_input: Price | None = None
    pricing_output: Price | None = None
    pricing_cached_input: Price | None = None
    max_output_tokens: TokenCount | None = None
    context_window: TokenCount | None = None
    api_base: Url | None = None
    mode: Mode = Mode.CHAT


class UpdateModelAlias(RequestModel):
    """Only the fields that are sent change; null clears (Q-25)."""

    litellm_model: LitellmModel | None = None
    description: Description | None = None
    display_name: Name | None = None
    active: Annotated[bool, Field(strict=True)] | None = None
    fallbacks: Fallbacks | None = None
    pricing_input: Price | None = None
    pricing_output: Price | None = None
    pricing_cached_input: Price | None = None
    max_output_tokens: TokenCount | None = None
    context_window: TokenCount | None = None
    api_base: Url | None = None
    mode: Mode | None = None


class PricesAnswer(ResponseModel):
    """What counts today, in USD per million tokens before any tier begins."""

    input: Amount
    output: Amount
    cached_input: Amount
    price_source: PriceSource
    price_version: str
    tiered: bool


class TargetAnswer(ResponseModel):
    target_id: str
    litellm_model: str
    priority: int
    weight: int
    is_active: bool
    api_base: str | None
    base_model: str | None
    region: str | None
    rpm: int | None
    tpm: int | None
    credential_id: str | None
    last4: str = Field(description="of the target's own secret; empty if it has none")
    options: dict[str, str]
    prices: PricesAnswer


class ModelAliasSummary(ResponseModel):
    """An entry of the list."""

    alias: str
    litellm_model: str
    description: str | None
    active: bool
    display_name: str | None
    mode: Mode
    fallbacks: list[str]
    created_at: Timestamp
    updated_at: Timestamp


class ModelAliasAnswer(ModelAliasSummary):
    """``pricing_*`` are the overrides as they were set; ``targets[].prices`` is what counts.

    ``warning`` tells of targets whose price nobody knows: their calls cost an explicit 0 (Q-60).
    """

    pricing_input: Amount | None
    pricing_output: Amount | None
    pricing_cached_input: Amount | None
    price_source: PriceSource
    max_output_tokens: int | None
    context_window: int | None
    api_base: str | None
    targets: list[TargetAnswer]
    warning: str | None = None


class UsageStats(ResponseModel):
    """Of the last ``days``, today included, over all teams; some seconds old (Q-47)."""

    days: int
    total_calls: int
    total_cost_usd: Amount
    avg_tokens_per_call: Amount


class ModelAliasDetails(ModelAliasAnswer):
    """``access_groups`` that open the alias, how many teams hold one of them or the alias itself, what they used."""

    access_groups: list[str]
    teams_with_access: int
    usage_count: int
    usage_stats: UsageStats


class ListedModelAlias(ModelAliasSummary):
    """``usage_count`` is the calls of the last 30 days."""

    usage_count: int


class ModelAliasList(ResponseModel):
    aliases: list[ListedModelAlias]
    next_cursor: str | None = None
    truncated: bool = False


class ModelAliasDeleted(ResponseModel):
    alias: str
    deleted: bool
    message: str
    access_groups: list[str] = Field(description="the groups that it was taken out of")


class CreateAccessGroup(RequestModel):
    group_name: ExternalId
    description: Description | None = None
    model_aliases: GroupModels = Field(default_factory=list)


class UpdateAccessGroup(RequestModel):
    """Only the fields that are sent change; the list is replaced whole, null clears (Q-25)."""

    description: Description | None = None
    model_aliases: GroupModels | None = None


class GroupModelsChange(RequestModel):
    model_aliases: Annotated[list[Alias], Field(min_length=1, max_length=MAX_GROUP_MODELS)]


class AccessGroupAnswer(ResponseModel):
    group_name: str
    description: str | None
    model_aliases: list[str]
    builtin: bool
    created_at: Timestamp
    updated_at: Timestamp


class AccessGroupSummary(ResponseModel):
    group_name: str
    description: str | None
    model_count: int
    team_count: int
    builtin: bool

    @classmethod
    def of(cls, group: AccessGroup) -> AccessGroupSummary:
        return cls(
            group_name=group.group_name,
            description=group.description,
            model_count=len(group.model_aliases),
            team_count=group.team_count,
            builtin=group.builtin,
        )


class AccessGroupList(ResponseModel):
    access_groups: list[AccessGroupSummary]
    next_cursor: str | None = None


class GroupModelAnswer(ResponseModel):
    """An entry of a group; ``litellm_model`` is null for wildcards."""

    alias: str
    litellm_model: str | None
    description: str | None


class AccessGroupDetails(ResponseModel):
    """``teams_with_access`` names the first hundred teams that hold the group."""

    group_name: str
    description: str | None
    model_aliases: list[GroupModelAnswer]
    team_count: int
    teams_with_access: list[str]
    builtin: bool
    created_at: Timestamp | None
    updated_at: Timestamp | None


class AccessGroupDeleted(ResponseModel):
    group_name: str
    deleted: bool
    teams_changed: int
