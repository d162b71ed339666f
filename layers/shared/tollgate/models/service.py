"""Use cases of model aliases. Knows no HTTP and no storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError, NotFoundError
from tollgate.core.pagination import Page, PageRequest
from tollgate.models import answers, groups_repository, repository
from tollgate.models.access import allows
from tollgate.models.builtin import BUILTIN_GROUPS
from tollgate.models.model import (
    AccessGroup,
    CreateModelAlias,
    Mode,
    ModelAlias,
    ModelAliasAnswer,
    ModelAliasDeleted,
    ModelAliasDetails,
    Target,
    UpdateModelAlias,
)
from tollgate.models.prices import PriceSource
from tollgate.table.transactions import Work, retried

# A group that loses an alias takes two items of a transaction's hundred: the group and its audit event.
_GROUPS_PER_TRANSACTION = 40
# Writes that look at the whole catalogue lose races to every other write of it, so they try longer.
CATALOGUE_ATTEMPTS = 8
_TARGET_FIELDS = ("api_base", "pricing_input", "pricing_output", "pricing_cached_input")


def access_group_exists(names: list[str]) -> list[str]:
    """The names that are no access group, in the order given; builtin groups and ``*`` are known (Q-44)."""
    open_names = {name for name in names if name not in BUILTIN_GROUPS and name != "*"}
    known = groups_repository.stored_groups(open_names) if open_names else set()
    return [name for name in dict.fromkeys(names) if name in open_names and name not in known]


@dataclass(frozen=True, slots=True)
class ModelService:
    """What can be done with model aliases; they are the platform's (Q-24)."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateModelAlias) -> ModelAliasAnswer:
        """A new alias with its targets. Raises AlreadyExistsError if there is one of that name."""
        authorize(caller, Action.MODEL_WRITE)
        now = self.clock()
        sent = request.model_dump()
        model = ModelAlias(
            alias=request.alias,
            display_name=request.display_name,
            description=request.description,
            active=request.active,
            mode=request.mode,
            context_window=request.context_window,
            max_output_tokens=request.max_output_tokens,
            targets=_targets(sent, (), request.mode),
            created_at=now,
            updated_at=now,
            version=1,
        )
        after = request.model_dump(mode="json", exclude_unset=True)
        repository.create(model, _event(caller, "model_alias", model.alias, "created", self.clock, after=after))
        return answers.of_alias(model)

    def list(self, caller: Principal, request: PageRequest, text: str | None) -> Page[ModelAlias]:
        """Aliases in their own order; ``text`` searches alias, name and models."""
        authorize(caller, Action.MODEL_READ)
        return repository.search(request, text)

    def details(self, caller: Principal, alias: str) -> ModelAliasDetails:
        """The alias with its prices, and who has access to it."""
        authorize(caller, Action.MODEL_READ)
        model = _existing(alias)
        opening = [group for group in groups_repository.all_groups() if _opens(group, alias)]
        shown = answers.of_alias(model).model_dump()
        return ModelAliasDetails(
            **shown, access_groups=[group.group_name for group in opening], teams_with_access=_team_count(opening)
        )

    def update(self, caller: Principal, alias: str, request: UpdateModelAlias) -> ModelAliasAnswer:
        """Changes the fields that were sent; null clears."""
        authorize(caller, Action.MODEL_WRITE)
        sent = request.model_dump(exclude_unset=True)
        for field in ("litellm_model", "active", "mode"):
            if field in sent and sent[field] is None:
                raise InvalidRequestError(f"{field} may not be null", param=field)

        def attempt() -> ModelAlias:
            current = _existing(alias)
            changed = _changed(current, sent)
            before = {name: value for name, value in answers.settings_of(current).items() if name in sent}
            after = request.model_dump(mode="json", exclude_unset=True)
            event = _event(caller, "model_alias", alias, "updated", self.clock, before=before, after=after)
            repository.update(changed, event)
            return replace(changed, updated_at=event.at)

        return answers.of_alias(retried(attempt))

    def delete(self, caller: Principal, alias: str) -> ModelAliasDeleted:
        """Takes the alias out of every group that names it, and removes it. Interrupted, it is done by a repetition."""
        authorize(caller, Action.MODEL_WRITE)

        def attempt() -> list[str]:
            version = repository.version()
            model = _existing(alias)
            naming = [
                group for group in groups_repository.all_groups() if alias in group.model_aliases and not group.builtin
            ]
            self._delete(caller, model, naming, version)
            return [group.group_name for group in naming]

        return ModelAliasDeleted(alias=alias, deleted=True, access_groups=retried(attempt, CATALOGUE_ATTEMPTS))

    def _delete(self, caller: Principal, model: ModelAlias, naming: Sequence[AccessGroup], version: int) -> None:
        starts = range(0, max(len(naming), 1), _GROUPS_PER_TRANSACTION)
        for step, start in enumerate(starts):
            work = Work()
            for group in naming[start : start + _GROUPS_PER_TRANSACTION]:
                self._without(work, caller, group, model.alias)
            if step == len(starts) - 1:
                before = answers.settings_of(model)
                event = _event(caller, "model_alias", model.alias, "deleted", self.clock, before=before)
                repository.delete(work, model, event)
            repository.bump(work, version + step)
            work.commit()

    def _without(self, work: Work, caller: Principal, group: AccessGroup, alias: str) -> None:
        kept = tuple(entry for entry in group.model_aliases if entry != alias)
        event = group_event(
            caller, group.group_name, "updated", self.clock,
            before={"model_aliases": list(group.model_aliases)}, after={"model_aliases": list(kept)},
        )  # fmt: skip
        groups_repository.save(work, replace(group, model_aliases=kept), event)


def group_event(caller: Principal, group_name: str, verb: str, clock: Clock, **states: Any) -> AuditEvent:
    """The audit event of a change to an access group."""
    return _event(caller, "access_group", group_name, verb, clock, **states)


def _event(caller: Principal, kind: str, resource_id: str, verb: str, clock: Clock, **states: Any) -> AuditEvent:
    return AuditEvent(
        caller=caller, action=f"{kind}.{verb}", resource_type=kind, resource_id=resource_id, at=clock(), **states
    )


def _existing(alias: str) -> ModelAlias:
    model = repository.find(alias)
    if model is None:
        raise NotFoundError(f"Model alias '{alias}' not found")
    return model


def _opens(group: AccessGroup, alias: str) -> bool:
    return allows(group.model_aliases, alias, {})


def _team_count(groups: Sequence[AccessGroup]) -> int:
    """How many teams hold at least one of the groups."""
    held = [group for group in groups if group.team_count]
    if len(held) == 1:
        return held[0].team_count
    return len({team for group in held for team in groups_repository.teams_of(group.group_name)})


def _changed(current: ModelAlias, sent: dict[str, Any]) -> ModelAlias:
    fields = ("display_name", "description", "active", "mode", "context_window", "max_output_tokens")
    changed = replace(current, **{name: sent[name] for name in fields if name in sent})
    primary, *rest = current.targets
    settings = {name: getattr(primary, name) for name in _TARGET_FIELDS}
    settings |= {"litellm_model": primary.litellm_model, "fallbacks": [target.litellm_model for target in rest]}
    return replace(changed, targets=_targets(settings | sent, current.targets, changed.mode))


def _targets(settings: dict[str, Any], current: Sequence[Target], mode: Mode) -> tuple[Target, ...]:
    """The targets that the request means: the model itself, then its fallbacks.

    A target that was there before keeps its id, and whatever else was set on it.
    """
    known = {target.litellm_model: target for target in reversed(current)}
    models = [settings["litellm_model"], *dict.fromkeys(settings.get("fallbacks") or ())]
    if len(set(models)) < len(models):
        raise InvalidRequestError("fallbacks: the model itself cannot be its fallback", param="fallbacks")
    targets = []
    for priority, litellm_model in enumerate(models):
        own = {name: settings[name] for name in _TARGET_FIELDS} if priority == 0 else {}
        targets.append(_target(known.get(litellm_model), litellm_model, priority, own))
    _check_prices(targets[0], mode)
    return tuple(targets)


def _target(known: Target | None, litellm_model: str, priority: int, own: dict[str, Any]) -> Target:
    target = Target(
        target_id=known.target_id if known else ids.new_ulid(),
        litellm_model=litellm_model,
        priority=priority,
        weight=known.weight if known else 1,
        api_base=own.get("api_base"),
        pricing_input=own.get("pricing_input"),
        pricing_output=own.get("pricing_output"),
        pricing_cached_input=own.get("pricing_cached_input"),
        price_source=PriceSource.NONE,
    )
    return replace(target, price_source=answers.price_of(target).source)


def _check_prices(target: Target, mode: Mode) -> None:
    """An override of a model that the catalogue does not know must be whole: what is left out would cost 0 (Q-60)."""
    if answers.is_known(target.litellm_model):
        return
    needed = ("pricing_input", "pricing_output") if mode is Mode.CHAT else ("pricing_input",)
    given = [name for name in _TARGET_FIELDS if name != "api_base" and getattr(target, name) is not None]
    missing = [name for name in needed if name not in given]
    if given and missing:
        raise InvalidRequestError(
            f"{missing[0]}: must be set too, because the price of '{target.litellm_model}' is not known",
            param=missing[0],
        )


@cache
def model_service() -> ModelService:
    return ModelService()
