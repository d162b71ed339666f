"""Models as aliases with one target, a price and a status (contract 1.7): a further view of the same aliases (Q-24).

Knows no HTTP and no storage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError, RefusedRequestError
from tollgate.core.fields import Amount, Name, Price, RequestModel, ResponseModel, Timestamp
from tollgate.core.pagination import PageRequest
from tollgate.models import answers, changes, groups_repository, repository
from tollgate.models.access import allows
from tollgate.models.changes import Beside
from tollgate.models.model import PROVIDERS, AccessGroup, Description, Mode, ModelAlias, NewAlias
from tollgate.models.model_groups import GroupStatus
from tollgate.models.prices import PriceSource, Provider
from tollgate.models.targets import of_settings, with_settings

_PER_MILLION = 1_000_000

ProviderName = Annotated[str, Field(max_length=50, description=f"one of {PROVIDERS}", examples=["openai"])]
ActualModel = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9._:@/*+-]{1,200}$"),
    Field(description="the provider's name of it", examples=["gpt-4o"]),
]
AccessGroups = Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=64)]], Field(max_length=40)]


class CreateModel(RequestModel):
    """Prices in USD per million tokens; left out, those of the price catalogue count."""

    model_alias: NewAlias
    display_name: Name
    provider: ProviderName
    actual_model: ActualModel
    pricing_input: Price | None = None
    pricing_output: Price | None = None
    description: Description | None = None
    access_groups: AccessGroups = Field(default_factory=list)


class UpdateModel(RequestModel):
    """Only the fields that are sent change; null clears, a null price is the catalogue's again (Q-25)."""

    display_name: Name | None = None
    provider: ProviderName | None = None
    actual_model: ActualModel | None = None
    pricing_input: Price | None = None
    pricing_output: Price | None = None
    description: Description | None = None
    status: GroupStatus | None = None
    access_groups: AccessGroups | None = None


class PricedModelAnswer(ResponseModel):
    """``pricing_*`` are what counts, in USD per million tokens; ``access_groups`` those that open it."""

    id: str
    model_alias: str
    display_name: str | None
    provider: str
    actual_model: str
    description: str | None
    pricing_input: Amount
    pricing_output: Amount
    price_source: PriceSource
    status: GroupStatus
    access_groups: list[str]
    created_at: Timestamp
    updated_at: Timestamp


class PricedModelList(ResponseModel):
    models: list[PricedModelAnswer]
    next_cursor: str | None = None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class PricedModelService:
    """What can be done with models; they are the platform's."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateModel) -> PricedModelAnswer:
        """A new alias, named by the access groups that were sent, in one transaction.

        Raises AlreadyExistsError, RefusedRequestError for a provider that there is not, InvalidRequestError.
        """
        authorize(caller, Action.MODEL_WRITE)
        now = self.clock()
        settings = {
            "litellm_model": _litellm_model(request.provider, request.actual_model),
            "api_base": None,
            "pricing_input": request.pricing_input,
            "pricing_output": request.pricing_output,
            "pricing_cached_input": None,
        }
        model = ModelAlias(
            alias=request.model_alias,
            uid=ids.new_ulid(),
            display_name=request.display_name,
            description=request.description,
            active=True,
            mode=Mode.CHAT,
            context_window=None,
            max_output_tokens=None,
            targets=of_settings(settings, (), Mode.CHAT),
            created_at=now,
            updated_at=now,
            version=1,
        )
        after = request.model_dump(mode="json", exclude_unset=True)
        changes.add(caller, model, self.clock, after, Beside(access_groups=request.access_groups or None))
        return _answer(model, list(groups_repository.all_groups()))

    def list(
        self, caller: Principal, request: PageRequest, provider: str | None, status: GroupStatus | None
    ) -> PricedModelList:
        """Models by alias; of one provider, of one status."""
        authorize(caller, Action.MODEL_READ)

        def matches(model: ModelAlias) -> bool:
            of_status = status is None or _status(model) is status
            return of_status and (provider is None or model.targets[0].provider == provider)

        page = repository.search(request, f"models|{provider}|{status}", matches)
        groups = list(groups_repository.all_groups())
        return PricedModelList(
            models=[_answer(model, groups) for model in page.entries],
            next_cursor=page.next_cursor,
            truncated=page.truncated,
        )

    def details(self, caller: Principal, alias: str) -> PricedModelAnswer:
        authorize(caller, Action.MODEL_READ)
        return _answer(changes.existing(alias), list(groups_repository.all_groups()))

    def update(self, caller: Principal, alias: str, request: UpdateModel) -> PricedModelAnswer:
        """Changes the fields that were sent; further targets of the alias stay."""
        authorize(caller, Action.MODEL_WRITE)
        after = request.model_dump(mode="json", exclude_unset=True)
        for field in ("provider", "actual_model", "status"):
            if field in after and after[field] is None:
                raise InvalidRequestError(f"{field} may not be null", param=field)
        groups = (request.access_groups or []) if "access_groups" in after else None
        model = changes.change(
            caller,
            alias,
            self.clock,
            lambda current: with_settings(current, _settings(current, request)),
            after=after,
            beside=Beside(access_groups=groups),
        )
        return _answer(model, list(groups_repository.all_groups()))


def _settings(current: ModelAlias, request: UpdateModel) -> dict[str, Any]:
    """What was sent, in the alias's own words."""
    plain = {"display_name", "description", "pricing_input", "pricing_output"}
    settings = {name: getattr(request, name) for name in request.model_fields_set & plain}
    if request.status is not None:
        settings["active"] = request.status is GroupStatus.ACTIVE
    primary = current.targets[0]
    if request.provider is not None or request.actual_model is not None:
        model = request.actual_model or primary.upstream_model
        settings["litellm_model"] = _litellm_model(request.provider or primary.provider, model)
    return settings


def _litellm_model(provider: str, actual_model: str) -> str:
    if provider not in set(Provider):
        message = f"Unknown provider '{provider}'; there are {PROVIDERS}"
        raise RefusedRequestError(message, code="unknown_provider", param="provider")
    return f"{provider}/{actual_model}"


def _status(model: ModelAlias) -> GroupStatus:
    return GroupStatus.ACTIVE if model.active else GroupStatus.INACTIVE


def _answer(model: ModelAlias, groups: Sequence[AccessGroup]) -> PricedModelAnswer:
    primary = model.targets[0]
    price = answers.price_of(primary)
    return PricedModelAnswer(
        id=model.uid,
        model_alias=model.alias,
        display_name=model.display_name,
        provider=primary.provider,
        actual_model=primary.upstream_model,
        description=model.description,
        pricing_input=price.input * _PER_MILLION,
        pricing_output=price.output * _PER_MILLION,
        price_source=price.source,
        status=_status(model),
        access_groups=[group.group_name for group in groups if allows(group.model_aliases, model.alias, {})],
        created_at=model.created_at,
        updated_at=model.updated_at,
    )


@cache
def priced_model_service() -> PricedModelService:
    return PricedModelService()
