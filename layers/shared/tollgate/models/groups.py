"""Use cases of access groups. Knows no HTTP and no storage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import AlreadyExistsError, InvalidRequestError, NotFoundError, RefusedRequestError
from tollgate.core.pagination import Page, PageRequest
from tollgate.models import groups_repository, repository
from tollgate.models.access import is_wildcard
from tollgate.models.changes import CATALOGUE_ATTEMPTS, event_of
from tollgate.models.model import (
    MAX_GROUP_MODELS,
    AccessGroup,
    AccessGroupAnswer,
    AccessGroupDeleted,
    AccessGroupDetails,
    CreateAccessGroup,
    GroupModelAnswer,
    UpdateAccessGroup,
)
from tollgate.models.unlink import remove_group
from tollgate.table.transactions import Work, retried

_SHOWN_TEAMS = 100
# Answers by itself in the local cloud; nobody has to create it.
LOCAL_MODEL = "local/echo"


@dataclass(frozen=True, slots=True)
class AccessGroupService:
    """What can be done with access groups; they are the platform's."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: CreateAccessGroup) -> AccessGroupAnswer:
        """A new group, which may take the place of a builtin one (Q-44). AlreadyExistsError if the name is taken."""
        authorize(caller, Action.MODEL_WRITE)

        def change(current: AccessGroup | None) -> AccessGroup:
            if current is not None and not current.builtin:
                raise AlreadyExistsError(
                    f"Access group already exists: '{request.group_name}'", code="access_group_exists"
                )
            return AccessGroup(
                group_name=request.group_name,
                description=request.description,
                model_aliases=tuple(dict.fromkeys(request.model_aliases)),
                team_count=current.team_count if current else 0,
                builtin=False,
                created_at=None,
                updated_at=None,
                version=current.version if current else 0,
            )

        return self._write(caller, request.group_name, "created", change)

    def list(self, caller: Principal, request: PageRequest) -> Page[AccessGroup]:
        """Groups by name, the builtin ones among them."""
        authorize(caller, Action.MODEL_READ)
        return groups_repository.page(request)

    def details(self, caller: Principal, group_name: str) -> AccessGroupDetails:
        """The group with what its aliases mean and the first teams that hold it."""
        authorize(caller, Action.MODEL_READ)
        group = _existing(groups_repository.find(group_name), group_name)
        models = repository.find_all(alias for alias in group.model_aliases if not is_wildcard(alias))
        return AccessGroupDetails(
            group_name=group.group_name,
            description=group.description,
            model_aliases=[
                GroupModelAnswer(
                    alias=alias,
                    litellm_model=models[alias].targets[0].litellm_model if alias in models else None,
                    description=models[alias].description if alias in models else None,
                )
                for alias in group.model_aliases
            ],
            team_count=group.team_count,
            teams_with_access=list(groups_repository.teams_of(group_name, _SHOWN_TEAMS)),
            builtin=group.builtin,
            created_at=group.created_at,
            updated_at=group.updated_at,
        )

    def update(self, caller: Principal, group_name: str, request: UpdateAccessGroup) -> AccessGroupAnswer:
        """Changes the fields that were sent; the list is replaced whole."""
        sent = request.model_dump(exclude_unset=True)
        changes = dict(sent)
        if "model_aliases" in sent:
            changes["model_aliases"] = tuple(dict.fromkeys(sent["model_aliases"] or ()))
        return self._change(caller, group_name, lambda group: replace(group, **changes))

    def add_models(self, caller: Principal, group_name: str, aliases: Sequence[str]) -> AccessGroupAnswer:
        """Adds entries; those that are there already stay as they are."""
        return self._change(
            caller, group_name, lambda group: replace(group, model_aliases=_unique((*group.model_aliases, *aliases)))
        )

    def remove_models(self, caller: Principal, group_name: str, aliases: Sequence[str]) -> AccessGroupAnswer:
        """Takes entries out; those that are not there are no error."""
        unwanted = set(aliases)
        return self._change(
            caller,
            group_name,
            lambda group: replace(
                group, model_aliases=tuple(entry for entry in group.model_aliases if entry not in unwanted)
            ),
        )

    def delete(self, caller: Principal, group_name: str) -> AccessGroupDeleted:
        """Takes the group from every team, and removes it. Interrupted, it is done by a repetition.

        A team keeps the models that it also has through another group.
        """
        authorize(caller, Action.MODEL_WRITE)
        changed = 0

        def attempt() -> None:
            nonlocal changed
            group = _existing(groups_repository.find(group_name), group_name)
            if group.builtin:
                raise RefusedRequestError(
                    f"Access group '{group_name}' is built in and cannot be deleted", code="builtin_access_group"
                )
            for team_id in groups_repository.teams_of(group_name):
                changed += remove_group(caller, team_id, group_name, self.clock)
            work = Work()
            event = event_of(caller, "access_group", group_name, "deleted", self.clock, before=_settings(group))
            groups_repository.delete(work, group, event)
            repository.bump(work)
            work.commit()

        retried(attempt, CATALOGUE_ATTEMPTS)
        return AccessGroupDeleted(group_name=group_name, deleted=True, teams_changed=changed)

    def _change(
        self, caller: Principal, group_name: str, change: Callable[[AccessGroup], AccessGroup]
    ) -> AccessGroupAnswer:
        authorize(caller, Action.MODEL_WRITE)
        return self._write(caller, group_name, "updated", lambda group: change(_existing(group, group_name)))

    def _write(
        self, caller: Principal, group_name: str, verb: str, change: Callable[[AccessGroup | None], AccessGroup]
    ) -> AccessGroupAnswer:
        """Read, change, check that the entries exist, write: as one, because the catalogue's version guards it."""

        def attempt() -> AccessGroupAnswer:
            version = repository.version()
            current = groups_repository.find(group_name)
            changed = change(current)
            _check_entries(changed.model_aliases, known=current.model_aliases if current else ())
            before = _settings(current) if current else {}
            event = event_of(
                caller, "access_group", group_name, verb, self.clock, before=before, after=_settings(changed)
            )
            work = Work()
            groups_repository.save(work, changed, event)
            repository.bump(work, version)
            work.commit()
            return AccessGroupAnswer(
                group_name=group_name,
                description=changed.description,
                model_aliases=list(changed.model_aliases),
                builtin=False,
                created_at=changed.created_at or event.at,
                updated_at=event.at,
            )

        return retried(attempt, CATALOGUE_ATTEMPTS)


def _existing(group: AccessGroup | None, group_name: str) -> AccessGroup:
    if group is None:
        raise NotFoundError(f"Access group '{group_name}' not found")
    return group


def _unique(entries: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entries))


def _check_entries(entries: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Every new entry is a wildcard or an alias that exists; InvalidRequestError names those that are not."""
    if len(entries) > MAX_GROUP_MODELS:
        raise InvalidRequestError(
            f"model_aliases: a group holds at most {MAX_GROUP_MODELS} entries", param="model_aliases"
        )
    named = [entry for entry in entries if entry not in known and entry != LOCAL_MODEL and not is_wildcard(entry)]
    models = repository.find_all(named)
    unknown = [entry for entry in named if entry not in models]
    if unknown:
        listed = ", ".join(f"'{entry}'" for entry in unknown)
        raise InvalidRequestError(f"model_aliases: unknown model alias {listed}", param="model_aliases")


def _settings(group: AccessGroup) -> dict[str, Any]:
    return {"description": group.description, "model_aliases": list(group.model_aliases)}


@cache
def access_group_service() -> AccessGroupService:
    return AccessGroupService()
