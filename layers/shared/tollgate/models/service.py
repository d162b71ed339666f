"""Use cases of model aliases. Knows no HTTP and no storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import InvalidRequestError
from tollgate.core.pagination import PageRequest
from tollgate.models import answers, changes, groups_repository, repository, usage_stats
from tollgate.models.access import allows
from tollgate.models.builtin import BUILTIN_GROUPS
from tollgate.models.model import (
    AccessGroup,
    CreateModelAlias,
    ListedModelAlias,
    ModelAlias,
    ModelAliasAnswer,
    ModelAliasDeleted,
    ModelAliasDetails,
    ModelAliasList,
    UpdateModelAlias,
    UsageStats,
)
from tollgate.models.targets import of_settings, with_settings
from tollgate.models.unlink import remove_model
from tollgate.table.transactions import LostRaceError, Work, retried


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
        model = ModelAlias(
            alias=request.alias,
            uid=ids.new_ulid(),
            display_name=request.display_name,
            description=request.description,
            active=request.active,
            mode=request.mode,
            context_window=request.context_window,
            max_output_tokens=request.max_output_tokens,
            targets=of_settings(request.model_dump(), (), request.mode),
            created_at=now,
            updated_at=now,
            version=1,
        )
        changes.add(caller, model, self.clock, request.model_dump(mode="json", exclude_unset=True))
        return answers.of_alias(model)

    def list(self, caller: Principal, request: PageRequest, text: str | None) -> ModelAliasList:
        """Aliases in their own order; ``text`` searches alias, name and models, case-insensitively (Q-28)."""
        authorize(caller, Action.MODEL_READ)
        wanted = text.casefold() if text else None

        def matches(model: ModelAlias) -> bool:
            names = (model.alias, model.display_name or "", *(target.litellm_model for target in model.targets))
            return any((wanted or "") in name.casefold() for name in names)

        page = repository.search(request, f"aliases|{wanted}", matches if wanted else None)
        used = usage_stats.by_alias(self.clock()) if page.entries else {}
        return ModelAliasList(
            aliases=[_listed(model, used.get(model.alias)) for model in page.entries],
            next_cursor=page.next_cursor,
            truncated=page.truncated,
        )

    def details(self, caller: Principal, alias: str) -> ModelAliasDetails:
        """The alias with its prices, and who has access to it."""
        authorize(caller, Action.MODEL_READ)
        model = changes.existing(alias)
        opening = [group for group in groups_repository.all_groups() if _opens(group, alias)]
        stats = usage_stats.by_alias(self.clock()).get(alias, usage_stats.of_figures())
        return ModelAliasDetails(
            **answers.of_alias(model).model_dump(),
            access_groups=[group.group_name for group in opening],
            teams_with_access=_team_count(alias, opening),
            usage_count=stats.total_calls,
            usage_stats=stats,
        )

    def update(self, caller: Principal, alias: str, request: UpdateModelAlias) -> ModelAliasAnswer:
        """Changes the fields that were sent; null clears."""
        authorize(caller, Action.MODEL_WRITE)
        sent = request.model_dump(exclude_unset=True)
        for field in ("litellm_model", "active", "mode"):
            if field in sent and sent[field] is None:
                raise InvalidRequestError(f"{field} may not be null", param=field)

        after = request.model_dump(mode="json", exclude_unset=True)
        changed = changes.change(caller, alias, self.clock, lambda current: with_settings(current, sent), after=after)
        return answers.of_alias(changed)

    def delete(self, caller: Principal, alias: str, last_target: str | None = None) -> ModelAliasDeleted:
        """Takes the alias from every group and team that names it, and removes it.

        Interrupted, it is done by a repetition. With ``last_target`` LostRaceError if it has got another target.
        """
        authorize(caller, Action.MODEL_WRITE)

        def attempt() -> list[str] | None:
            version = repository.version()
            model = changes.existing(alias)
            if last_target not in {None, *(target.target_id for target in model.targets)} or (
                last_target and len(model.targets) > 1
            ):
                return None
            self._take_from_teams(caller, alias)
            naming = [
                group for group in groups_repository.all_groups() if alias in group.model_aliases and not group.builtin
            ]
            self._delete(caller, model, naming, version)
            return [group.group_name for group in naming]

        groups = retried(attempt, changes.CATALOGUE_ATTEMPTS)
        if groups is None:
            raise LostRaceError
        # Whoever got it meanwhile: from now on nobody can.
        self._take_from_teams(caller, alias)
        message = f"Model alias '{alias}' deleted successfully"
        return ModelAliasDeleted(alias=alias, deleted=True, message=message, access_groups=groups)

    def _take_from_teams(self, caller: Principal, alias: str) -> None:
        for team_id in groups_repository.users_of(alias):
            remove_model(caller, team_id, alias, self.clock)

    def _delete(self, caller: Principal, model: ModelAlias, naming: Sequence[AccessGroup], version: int) -> None:
        size = changes.GROUPS_PER_TRANSACTION
        starts = range(0, max(len(naming), 1), size)
        for step, start in enumerate(starts):
            work = Work()
            for group in naming[start : start + size]:
                kept = [entry for entry in group.model_aliases if entry != model.alias]
                changes.save_entries(work, caller, group, kept, self.clock)
            if step == len(starts) - 1:
                before = answers.settings_of(model)
                event = changes.event_of(caller, "model_alias", model.alias, "deleted", self.clock, before=before)
                repository.delete(work, model, event)
            repository.bump(work, version + step)
            work.commit()


def _opens(group: AccessGroup, alias: str) -> bool:
    return allows(group.model_aliases, alias, {})


def _team_count(alias: str, groups: Sequence[AccessGroup]) -> int:
    """How many teams hold the alias itself or at least one of the groups."""
    held, users = [group for group in groups if group.team_count], set(groups_repository.users_of(alias))
    if len(held) == 1 and not users:
        return held[0].team_count
    return len(users.union(*(groups_repository.teams_of(group.group_name) for group in held)))


def _listed(model: ModelAlias, stats: UsageStats | None) -> ListedModelAlias:
    return ListedModelAlias(**answers.summary_of(model).model_dump(), usage_count=stats.total_calls if stats else 0)


@cache
def model_service() -> ModelService:
    return ModelService()
