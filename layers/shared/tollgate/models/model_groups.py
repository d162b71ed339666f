"""Model groups: aliases as a list of models in order of priority (contract 1.7 and 4, Q-24).

The same aliases as everywhere; only the words differ. Knows no HTTP and no storage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError
from tollgate.core.fields import Amount, Metadata, Name, Price, RequestModel, ResponseModel, Timestamp, Url
from tollgate.core.pagination import PageRequest
from tollgate.models import answers, changes, repository
from tollgate.models.changes import Beside
from tollgate.models.model import MAX_FALLBACKS, Description, LitellmModel, Mode, ModelAlias, NewAlias, Target
from tollgate.models.service import ModelService
from tollgate.models.targets import check_prices, target_of

MAX_MODELS = MAX_FALLBACKS + 1


class GroupStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"


# No "/": the name stands in the middle of a path.
GroupName = Annotated[NewAlias, StringConstraints(max_length=100, pattern=r"^[^/]+$")]


class ModelConfig(RequestModel):
    """What is set on a model of a group. Prices in USD per million tokens; absent: the catalogue's."""

    weight: Annotated[int, Field(strict=True, ge=1, le=100_000_000)] = 1
    api_base: Url | None = None
    pricing_input: Price | None = None
    pricing_output: Price | None = None
    pricing_cached_input: Price | None = None


class GroupModel(RequestModel):
    """``priority`` 0 is tried first; among equals ``config.weight`` decides. Absent: its place in the list."""

    model_name: LitellmModel
    priority: Annotated[int, Field(strict=True, ge=0, le=1000)] | None = None
    is_active: Annotated[bool, Field(strict=True)] = True
    config: ModelConfig = Field(default_factory=ModelConfig)


GroupModelList = Annotated[list[GroupModel], Field(min_length=1, max_length=MAX_MODELS)]


class CreateModelGroup(RequestModel):
    group_name: GroupName
    display_name: Name | None = None
    description: Description | None = None
    models: GroupModelList
    metadata: Metadata = Field(default_factory=dict)


class UpdateModelGroup(RequestModel):
    """Only the fields that are sent change; ``models`` is replaced whole, null clears (Q-25)."""

    display_name: Name | None = None
    description: Description | None = None
    status: GroupStatus | None = None
    models: GroupModelList | None = None
    metadata: Metadata | None = None


class ModelConfigAnswer(ResponseModel):
    weight: int
    api_base: str | None
    pricing_input: Amount | None
    pricing_output: Amount | None
    pricing_cached_input: Amount | None


class ModelOfGroup(ResponseModel):
    model_name: str
    priority: int
    is_active: bool
    config: ModelConfigAnswer


class ModelGroupSummary(ResponseModel):
    """An entry of the list; ``models`` in the order in which they are tried."""

    model_group_id: str
    group_name: str
    display_name: str | None
    description: str | None
    status: GroupStatus
    models: list[ModelOfGroup]
    created_at: Timestamp
    updated_at: Timestamp


class ModelGroupAnswer(ModelGroupSummary):
    """``warning`` tells of models whose price nobody knows: their calls cost an explicit 0 (Q-60)."""

    metadata: dict[str, object]
    warning: str | None


class ModelGroupList(ResponseModel):
    model_groups: list[ModelGroupSummary]
    next_cursor: str | None = None


class ModelsOfGroup(ResponseModel):
    group_name: str
    models: list[ModelOfGroup]


class ModelGroupDeleted(ResponseModel):
    group_name: str
    deleted: bool
    message: str


@dataclass(frozen=True, slots=True)
class ModelGroupService:
    """What can be done with model groups; they are the platform's."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateModelGroup) -> ModelGroupAnswer:
        """A new group, which is an alias. Raises AlreadyExistsError if there is one of that name."""
        authorize(caller, Action.MODEL_WRITE)
        now = self.clock()
        model = ModelAlias(
            alias=request.group_name,
            uid=ids.new_ulid(),
            display_name=request.display_name,
            description=request.description,
            active=True,
            mode=Mode.CHAT,
            context_window=None,
            max_output_tokens=None,
            targets=_targets(request.models, (), Mode.CHAT),
            created_at=now,
            updated_at=now,
            version=1,
        )
        after = request.model_dump(mode="json", exclude_unset=True)
        changes.add(caller, model, self.clock, after, Beside(metadata=request.metadata or None))
        return _answer(model, request.metadata)

    def list(self, caller: Principal, request: PageRequest) -> ModelGroupList:
        """Groups by name."""
        authorize(caller, Action.MODEL_READ)
        page = repository.search(request, "groups")
        return ModelGroupList(
            model_groups=[ModelGroupSummary.model_validate(_shown(model)) for model in page.entries],
            next_cursor=page.next_cursor,
        )

    def details(self, caller: Principal, group_name: str) -> ModelGroupAnswer:
        authorize(caller, Action.MODEL_READ)
        return _answer(changes.existing(group_name), repository.metadata_of(group_name))

    def models(self, caller: Principal, group_name: str) -> ModelsOfGroup:
        """In the order in which they are tried."""
        authorize(caller, Action.MODEL_READ)
        model = changes.existing(group_name)
        return ModelsOfGroup(group_name=group_name, models=[_model(target) for target in model.targets])

    def update(self, caller: Principal, group_name: str, request: UpdateModelGroup) -> ModelGroupAnswer:
        """Changes the fields that were sent; it counts on the very next call."""
        authorize(caller, Action.MODEL_WRITE)
        sent = request.model_fields_set
        for field in ("status", "models"):
            if field in sent and getattr(request, field) is None:
                raise InvalidRequestError(f"{field} may not be null", param=field)

        def changed(current: ModelAlias) -> ModelAlias:
            plain = {name: getattr(request, name) for name in sent & {"display_name", "description"}}
            if request.status is not None:
                plain["active"] = request.status is GroupStatus.ACTIVE
            if request.models is not None:
                plain["targets"] = _targets(request.models, current.targets, current.mode)
            return replace(current, **plain)

        metadata = (request.metadata or {}) if "metadata" in sent else None
        after = request.model_dump(mode="json", exclude_unset=True)
        model = changes.change(caller, group_name, self.clock, changed, after=after, beside=Beside(metadata=metadata))
        return _answer(model, repository.metadata_of(group_name))

    def delete(self, caller: Principal, group_name: str) -> ModelGroupDeleted:
        """Takes the group from every team and access group that names it, and removes it."""
        ModelService(self.clock).delete(caller, group_name)
        message = f"Model group '{group_name}' deleted successfully"
        return ModelGroupDeleted(group_name=group_name, deleted=True, message=message)


def _targets(models: Sequence[GroupModel], current: Sequence[Target], mode: Mode) -> tuple[Target, ...]:
    """In order of priority; a model that was there before keeps its id. InvalidRequestError for one named twice."""
    known = {target.litellm_model: target for target in current}
    names = [model.model_name for model in models]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidRequestError(f"'{name}' is named twice", param=f"models.{number}.model_name")
    targets = []
    for place, model in enumerate(models):
        priority = place if model.priority is None else model.priority
        settings = {**model.config.model_dump(), "is_active": model.is_active}
        targets.append(target_of(known.get(model.model_name), model.model_name, priority, **settings))
        check_prices(targets[-1], mode, f"models.{place}.config.")
    return tuple(sorted(targets, key=lambda target: target.priority))


def _shown(model: ModelAlias) -> dict[str, Any]:
    return {
        "model_group_id": model.uid,
        "group_name": model.alias,
        "display_name": model.display_name,
        "description": model.description,
        "status": GroupStatus.ACTIVE if model.active else GroupStatus.INACTIVE,
        "models": [_model(target) for target in model.targets],
        "created_at": model.created_at,
        "updated_at": model.updated_at,
    }


def _model(target: Target) -> ModelOfGroup:
    config = ModelConfigAnswer(**{name: getattr(target, name) for name in ModelConfigAnswer.model_fields})
    return ModelOfGroup(
        model_name=target.litellm_model, priority=target.priority, is_active=target.is_active, config=config
    )


def _answer(model: ModelAlias, metadata: dict[str, object]) -> ModelGroupAnswer:
    unknown = [target.litellm_model for target in model.targets if not answers.is_priced(target)]
    return ModelGroupAnswer.model_validate(_shown(model) | {"metadata": metadata, "warning": answers.warning(unknown)})


@cache
def model_group_service() -> ModelGroupService:
    return ModelGroupService()
