"""Targets one by one, each with its alias: what the other dialect calls a model (Q-24). Knows no HTTP and no storage.

The second one of an alias is a target of equal priority. Every change looks at the whole catalogue, because an id may
be taken anywhere in it, and so depends on the catalogue's version.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import Any

from pydantic import SecretStr

from tollgate.auth.policy import Action, Owner, admit, authorize, has_role
from tollgate.auth.principal import Principal
from tollgate.aws import kms
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import AlreadyExistsError, InvalidRequestError, NotFoundError
from tollgate.core.pagination import MAX_CANDIDATES
from tollgate.models import changes, groups_repository, repository
from tollgate.models.access import visible
from tollgate.models.changes import Beside
from tollgate.models.model import AccessGroup, Mode, ModelAlias, Target
from tollgate.models.model_groups import MAX_MODELS
from tollgate.models.service import ModelService
from tollgate.models.targets import check_prices, target_of
from tollgate.table import keys
from tollgate.table.transactions import LostRaceError, Work, retried

# Below this length the last four characters would be too much of a secret.
_SHORTEST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Deployment:
    """A target with its alias, the groups that name that, and what is kept of requests only to be shown again."""

    model: ModelAlias
    target: Target
    access_groups: tuple[str, ...]
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a target; what is not named stays.

    Attributes:
        target: fields of ``Target``; ``api_key`` stands for its own secret, None takes that away.
        alias: fields of ``ModelAlias``.
        access_groups: the groups that name the alias, all of them; those that there are not are made.
        params: what is kept to be shown again, the whole of it.
        more: adds to the transaction what has to hold with the change.
    """

    target: Mapping[str, Any] = field(default_factory=dict)
    alias: Mapping[str, Any] = field(default_factory=dict)
    access_groups: Sequence[str] | None = None
    params: Mapping[str, Any] | None = None
    more: Callable[[Work], None] | None = None


@dataclass(frozen=True, slots=True)
class DeploymentService:
    """What can be done with targets; they are the platform's."""

    clock: Clock = utc_now

    def seen(self, caller: Principal, lists: Sequence[Sequence[str]]) -> list[Deployment]:
        """Those that the platform's roles see, or that all ``lists`` of a key open; by alias, at most 10,000."""
        admit(caller, Action.MODEL_READ_OWN)
        models = list(islice(repository.every(), MAX_CANDIDATES))
        groups = list(groups_repository.all_groups())
        entries = {group.group_name: group.model_aliases for group in groups}
        opened = set(visible(lists, (model.alias for model in models), entries))
        everything = has_role(caller, Action.MODEL_READ, Owner())
        return _deployments((m for m in models if m.alias in opened and (m.active or everything)), groups)

    def add(self, caller: Principal, alias: str, target_id: str | None, change: Change) -> Deployment:
        """A target more of the alias, which is made with its first. AlreadyExistsError for an id that is taken."""
        authorize(caller, Action.MODEL_WRITE)
        new_id = target_id or ids.new_ulid()
        settings = _sealed(change.target, new_id)

        def attempt() -> Deployment:
            version = repository.version()
            every = list(repository.every())
            if any(target.target_id == new_id for model in every for target in model.targets):
                raise AlreadyExistsError(f"Model with id={new_id} already exists", param="model_info.id")
            current = next((model for model in every if model.alias == alias), None)
            model = _with_target(current or self._new(alias), _new_target(new_id, settings), change)
            return self._write(caller, current, model, target_id=new_id, change=change, version=version)

        return retried(attempt, changes.CATALOGUE_ATTEMPTS)

    def change(self, caller: Principal, target_id: str, wanted: Callable[[Deployment], Change]) -> Deployment:
        """Changes a target and its alias; ``wanted`` gets it as it is. Raises NotFoundError."""
        authorize(caller, Action.MODEL_WRITE)

        def attempt() -> Deployment:
            version = repository.version()
            found = self.get(caller, target_id)
            change = wanted(found)
            target = replace(found.target, **_sealed(change.target, target_id))
            model = _with_target(_without(found.model, target_id), target, change)
            return self._write(caller, found.model, model, target_id=target_id, change=change, version=version)

        return retried(attempt, changes.CATALOGUE_ATTEMPTS)

    def remove(self, caller: Principal, target_id: str) -> Deployment:
        """Removes a target; the alias goes with its last, out of every group and team, too. Raises NotFoundError."""
        authorize(caller, Action.MODEL_WRITE)

        def attempt() -> Deployment:
            version = repository.version()
            found = self.get(caller, target_id)
            if len(found.model.targets) == 1:
                ModelService(self.clock).delete(caller, found.model.alias, last_target=target_id)
            else:
                rest = _without(found.model, target_id)
                self._write(caller, found.model, rest, target_id=target_id, change=Change(), version=version)
            return found

        return retried(attempt, changes.CATALOGUE_ATTEMPTS)

    def get(self, caller: Principal, target_id: str) -> Deployment:
        """The target of that id. Raises NotFoundError."""
        authorize(caller, Action.MODEL_READ)
        for model in repository.every():
            if any(target.target_id == target_id for target in model.targets):
                found = _deployments([model], groups_repository.all_groups())
                return next(one for one in found if one.target.target_id == target_id)
        raise NotFoundError(f"Model with id={target_id} not found in db")

    def _new(self, alias: str) -> ModelAlias:
        now = self.clock()
        return ModelAlias(alias, ids.new_ulid(), None, None, True, Mode.CHAT, None, None, (), now, now, 1)

    def _write(  # noqa: PLR0913
        self,
        caller: Principal,
        current: ModelAlias | None,
        model: ModelAlias,
        *,
        target_id: str,
        change: Change,
        version: int,
    ) -> Deployment:
        """One transaction of the alias with all that belongs to it, if the catalogue is still what was looked at."""
        before = _shown(current, target_id) if current else {}
        states = {"before": before, "after": _shown(model, target_id)}
        verb = "updated" if current else "created"
        event = changes.event_of(caller, "model_alias", model.alias, verb, self.clock, **states)
        work = Work()
        if current is None:
            # Made by somebody else meanwhile, it only gets one target more.
            repository.create(work, model, event, otherwise=LostRaceError())
        else:
            repository.update(work, model, event)
        if change.access_groups is not None:
            self._make_groups(work, caller, model.alias, change.access_groups)
        changes.write_beside(work, caller, model.alias, self._beside(model, target_id, change), self.clock)
        repository.bump(work, version)
        work.commit()
        written = replace(model, updated_by=caller.actor)
        written = (
            replace(written, created_by=caller.actor) if current is None else replace(written, updated_at=event.at)
        )
        found = _deployments([written], groups_repository.all_groups())
        return next((one for one in found if one.target.target_id == target_id), found[0])

    def _beside(self, model: ModelAlias, target_id: str, change: Change) -> Beside:
        kept = repository.params_of([model.alias])
        if change.params is not None:
            kept[target_id] = dict(change.params)
        present = {target.target_id for target in model.targets}
        params = {name: own for name, own in kept.items() if name in present} if kept else None
        known = {group.group_name for group in groups_repository.all_groups()}
        groups = [name for name in change.access_groups or () if name in known]
        return Beside(groups if change.access_groups is not None else None, None, params, change.more)

    def _make_groups(self, work: Work, caller: Principal, alias: str, names: Iterable[str]) -> None:
        """Groups come to be with the first model that names them."""
        known = {group.group_name for group in groups_repository.all_groups()}
        for name in sorted(set(names) - known):
            group = AccessGroup(name, None, (alias,), 0, builtin=False, created_at=None, updated_at=None, version=0)
            after = {"model_aliases": [alias]}
            event = changes.event_of(caller, "access_group", name, "created", self.clock, after=after)
            groups_repository.save(work, group, event)


def _deployments(models: Iterable[ModelAlias], groups: Iterable[AccessGroup]) -> list[Deployment]:
    found = list(models)
    naming: dict[str, list[str]] = defaultdict(list)
    for group in groups:
        for alias in group.model_aliases:
            naming[alias].append(group.group_name)
    params = repository.params_of(model.alias for model in found)
    return [
        Deployment(model, target, tuple(naming[model.alias]), params.get(target.target_id, {}))
        for model in found
        for target in model.targets
    ]


def _new_target(target_id: str, settings: dict[str, Any]) -> Target:
    plain = {"api_base": None, "pricing_input": None, "pricing_output": None, "pricing_cached_input": None}
    target = target_of(None, settings["litellm_model"], settings.get("priority", 0), **plain)
    return replace(target, target_id=target_id, **settings)


def _without(model: ModelAlias, target_id: str) -> ModelAlias:
    return replace(model, targets=tuple(target for target in model.targets if target.target_id != target_id))


def _with_target(model: ModelAlias, target: Target, change: Change) -> ModelAlias:
    """The alias with one target more, in order of priority. Raises InvalidRequestError for what cannot be."""
    if len(model.targets) == MAX_MODELS:
        message = f"At most {MAX_MODELS} models can have the name '{model.alias}'"
        raise InvalidRequestError(message, param="model_name")
    mode = change.alias.get("mode", model.mode)
    if model.targets and mode is not model.mode:
        message = f"model_info.mode: the other models of the name '{model.alias}' are for {model.mode}"
        raise InvalidRequestError(message, param="model_info.mode")
    priced = target_of(target, target.litellm_model, target.priority)
    check_prices(priced, mode)
    targets = sorted((*model.targets, priced), key=lambda one: one.priority)
    return replace(model, **change.alias, targets=tuple(targets))


def _sealed(settings: Mapping[str, Any], target_id: str) -> dict[str, Any]:
    """The settings with the secret as it is stored."""
    plain = dict(settings)
    if "api_key" not in plain:
        return plain
    api_key: SecretStr | None = plain.pop("api_key")
    if api_key is None:
        return plain | {"ciphertext": None, "last4": ""}
    text = api_key.get_secret_value()
    ciphertext = kms.encrypt(text, owner_uid=keys.PLATFORM, credential_id=target_id)
    last4 = text[-4:] if len(text) >= _SHORTEST_SHOWN else ""
    return plain | {"ciphertext": b64encode(ciphertext).decode(), "last4": last4}


def _shown(model: ModelAlias, target_id: str) -> dict[str, Any]:
    """What audit events tell: the alias's settings, and the target without its secret."""
    settings = {
        name: getattr(model, name)
        for name in ("display_name", "description", "active", "mode", "context_window", "max_output_tokens")
    }
    for target in model.targets:
        if target.target_id == target_id:
            names = [name for name in Target.__slots__ if name != "ciphertext"]
            settings["target"] = {name: getattr(target, name) for name in names}
    return settings


@cache
def deployment_service() -> DeploymentService:
    return DeploymentService()
