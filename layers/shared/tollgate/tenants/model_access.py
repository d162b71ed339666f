"""What a team's calls may use: access groups and single aliases, in both vocabularies of the documentation (D-11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tollgate.core.errors import InvalidRequestError
from tollgate.models import groups_repository as groups
from tollgate.models import repository as models
from tollgate.models.groups import LOCAL_MODEL
from tollgate.models.service import access_group_exists
from tollgate.table.transactions import Work
from tollgate.teams.model import ModelAccess, NewTeam, Team, UpdateTeam

# Names that the other dialect may send for one team.
MOST_ENTRIES = 40
# Two items for each name, of the hundred that a transaction takes.
_MOST_WRITES = 80


@dataclass(frozen=True, slots=True)
class Access:
    """Names of access groups, and aliases that are held by themselves; ``everything``: the names do not matter.

    ``loose``: other names than those of aliases are among the aliases.
    """

    groups: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    everything: bool = False
    loose: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, team: Team) -> Access:
        return cls(team.access_groups, team.models, team.model_access is ModelAccess.ALL)

    @property
    def attributes(self) -> dict[str, Any]:
        """The team's fields."""
        mode = ModelAccess.ALL if self.everything else ModelAccess.LISTED
        return {"model_access": mode.value, "access_groups": list(self.groups), "models": list(self.models)}

    def changes(self, held: Access) -> dict[str, Any]:
        """What changes of the team's fields, of which both lists belong together."""
        if self == held:
            return {}
        same = {"model_access"} if self.everything is held.everything else set()
        return {name: value for name, value in self.attributes.items() if name not in same}


# What becomes of the access that a team has.
Change = Callable[[Access], Access]


def wanted(request: NewTeam | UpdateTeam, current: Access) -> Access:
    """What the request makes of ``current``: its lists, and whether those are what counts.

    A list that is sent counts from then on, unless ``model_access`` says otherwise.
    """
    listed = _listed(request, current)
    if "model_access" in request.model_fields_set:
        return replace(listed, everything=request.model_access is ModelAccess.ALL)
    return replace(listed, everything=False) if listed is not current else current


def of_entries(names: Sequence[str]) -> Access:
    """A list as the other dialect has it (Q-23): any names, known or not; an empty one opens every model."""
    if not names:
        return Access(everything=True)
    others = access_group_exists(list(names))
    groups = dict.fromkeys(name for name in names if name not in others)
    return Access(tuple(groups), tuple(others), loose=True)


def _listed(request: NewTeam | UpdateTeam, current: Access) -> Access:
    """What the request's lists make of ``current``; null takes everything away that the field says.

    ``access_groups`` are groups only and leave the aliases alone; ``model_groups`` are both and replace both. Raises
    InvalidRequestError for names that nobody knows, and where both are sent.
    """
    sent = request.model_fields_set & {"access_groups", "model_groups"}
    if len(sent) > 1:
        raise InvalidRequestError("Send either access_groups or model_groups", param="model_groups")
    if "access_groups" in sent:
        names = request.access_groups or []
        for name in access_group_exists(names):
            message = f"Unknown access group '{name}'"
            raise InvalidRequestError(message, code="unknown_access_group", param="access_groups")
        return Access(tuple(names), current.models)
    return assigned(request.model_groups or []) if sent else current


def assigned(names: Sequence[str]) -> Access:
    """Groups and aliases told apart; a name that is both is the group. Raises InvalidRequestError for unknown ones."""
    others = access_group_exists(list(names))
    known = models.find_all(others)
    for name in others:
        if name not in known:
            message = f"Unknown model group '{name}'"
            raise InvalidRequestError(message, code="unknown_model_group", param="model_groups")
    return Access(tuple(name for name in names if name not in known), tuple(others))


def relink(work: Work, team_id: str, held: Access, wanted: Access) -> None:
    """Adds to the transaction what links the team to what it gains, and unlinks what it loses.

    Raises InvalidRequestError for more at once than a transaction holds.
    """
    changed = len({*held.groups} ^ {*wanted.groups}) + len({*held.models} ^ {*wanted.models})
    if 2 * changed > _MOST_WRITES:
        message = f"At most {_MOST_WRITES // 2} models can be added and removed at once"
        raise InvalidRequestError(message, code="too_many_models", param="models")
    for group in sorted(set(held.groups) - set(wanted.groups)):
        groups.unlink_team(work, group, team_id)
    for group in sorted(set(wanted.groups) - set(held.groups)):
        groups.link_team(work, group, team_id)
    for alias in sorted(set(held.models) - set(wanted.models)):
        groups.unlink_model(work, alias, team_id)
    for alias in sorted(set(wanted.models) - set(held.models)):
        groups.link_model(work, alias, team_id, exists=not wanted.loose)


def allowed(team: Team) -> list[str]:
    """The aliases and wildcards that the team's calls may use, sorted."""
    if team.model_access is ModelAccess.ALL:
        return ["*"]
    return sorted({*groups.entries_of(team.access_groups), *team.models})


def check_default(alias: str | None) -> None:
    """Raises InvalidRequestError unless a model of that name could be called."""
    if alias is not None and alias != LOCAL_MODEL and models.find(alias) is None:
        raise InvalidRequestError(f"Unknown model alias '{alias}'", param="default_model")
