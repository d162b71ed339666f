"""Writing an alias together with the access groups that name it: what all views of aliases have in common.

Every write is one transaction with its audit events, and raises the catalogue's version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tollgate.audit.model import AuditEvent
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock
from tollgate.core.errors import InvalidRequestError, NotFoundError
from tollgate.models import answers, groups_repository, repository
from tollgate.models.model import AccessGroup, ModelAlias
from tollgate.table.transactions import Work, retried

# A group that gains or loses an alias takes two items of a transaction's hundred: the group and its audit event.
GROUPS_PER_TRANSACTION = 40
# Writes that look at the whole catalogue lose races to every other write of it, so they try longer.
CATALOGUE_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Beside:
    """What is written with an alias; None leaves it as it is.

    Attributes:
        access_groups: the groups that name the alias, all of them.
        metadata: free-form, of model groups.
        params: of the targets, by their ids, what the other dialect only sees again.
        more: adds what has to hold in the same transaction.
    """

    access_groups: Sequence[str] | None = None
    metadata: dict[str, Any] | None = None
    params: dict[str, Any] | None = None
    more: Callable[[Work], None] | None = None


NOTHING = Beside()


def existing(alias: str) -> ModelAlias:
    """The alias as it is stored. Raises NotFoundError."""
    model = repository.find(alias)
    if model is None:
        raise NotFoundError(f"Model alias '{alias}' not found")
    return model


def add(caller: Principal, model: ModelAlias, clock: Clock, after: dict[str, Any], beside: Beside = NOTHING) -> None:
    """Stores a new alias. Raises AlreadyExistsError, InvalidRequestError for an unknown access group."""

    def attempt() -> None:
        version = repository.version() if beside.access_groups else None
        work = Work()
        repository.create(work, model, event_of(caller, "model_alias", model.alias, "created", clock, after=after))
        write_beside(work, caller, model.alias, beside, clock)
        repository.bump(work, version)
        work.commit()

    retried(attempt, CATALOGUE_ATTEMPTS)


def change(  # noqa: PLR0913
    caller: Principal,
    alias: str,
    clock: Clock,
    changed: Callable[[ModelAlias], ModelAlias],
    *,
    after: dict[str, Any],
    beside: Beside = NOTHING,
) -> ModelAlias:
    """Reads, changes and writes an alias; the audit event tells ``after``, which was sent, and what that was before."""

    def attempt() -> ModelAlias:
        version = repository.version() if beside.access_groups is not None else None
        current = existing(alias)
        model = changed(current)
        before = {name: value for name, value in answers.settings_of(current).items() if name in after}
        event = event_of(caller, "model_alias", alias, "updated", clock, before=before, after=after)
        work = Work()
        repository.update(work, model, event)
        write_beside(work, caller, alias, beside, clock)
        repository.bump(work, version)
        work.commit()
        return replace(model, updated_at=event.at)

    return retried(attempt, CATALOGUE_ATTEMPTS)


def save_entries(work: Work, caller: Principal, group: AccessGroup, entries: Sequence[str], clock: Clock) -> None:
    """Adds another list of entries of an access group to a transaction."""
    before, after = {"model_aliases": list(group.model_aliases)}, {"model_aliases": list(entries)}
    event = event_of(caller, "access_group", group.group_name, "updated", clock, before=before, after=after)
    groups_repository.save(work, replace(group, model_aliases=tuple(entries)), event)


def event_of(caller: Principal, kind: str, resource_id: str, verb: str, clock: Clock, **states: Any) -> AuditEvent:
    """The audit event of a change to an alias or to an access group."""
    return AuditEvent(
        caller=caller, action=f"{kind}.{verb}", resource_type=kind, resource_id=resource_id, at=clock(), **states
    )


def write_beside(work: Work, caller: Principal, alias: str, beside: Beside, clock: Clock) -> None:
    """Adds what belongs to an alias; with ``access_groups`` the transaction has to check the catalogue's version."""
    if beside.more is not None:
        beside.more(work)
    if beside.params is not None:
        repository.keep_params(work, alias, beside.params)
    if beside.metadata is not None:
        repository.keep_metadata(work, alias, beside.metadata)
    if beside.access_groups is None:
        return
    wanted = set(beside.access_groups)
    groups = {group.group_name: group for group in groups_repository.all_groups()}
    for name in sorted(wanted - groups.keys()):
        message = f"Unknown access group '{name}'"
        raise InvalidRequestError(message, code="unknown_access_group", param="access_groups")
    changing = [group for name, group in groups.items() if (name in wanted) != (alias in group.model_aliases)]
    if len(changing) > GROUPS_PER_TRANSACTION:
        message = f"At most {GROUPS_PER_TRANSACTION} access groups can change at once"
        raise InvalidRequestError(message, param="access_groups")
    for group in changing:
        entries = [entry for entry in group.model_aliases if entry != alias]
        save_entries(work, caller, group, [*entries, alias] if group.group_name in wanted else entries, clock)
