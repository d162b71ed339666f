"""What a team's calls may use: access groups and single aliases, in both vocabularies of the documentation (D-11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tollgate.core.errors import InvalidRequestError
from tollgate.models import groups_repository as groups
from tollgate.models import repository as models
from tollgate.models.groups import LOCAL_MODEL
from tollgate.models.service import access_group_exists
from tollgate.table.transactions import Work
from tollgate.teams.model import CreateTeam, Team, UpdateTeam


@dataclass(frozen=True, slots=True)
class Access:
    """Names of access groups, and aliases that are held by themselves."""

    groups: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @classmethod
    def of(cls, team: Team) -> Access:
        return cls(team.access_groups, team.models)


def wanted(request: CreateTeam | UpdateTeam, current: Access) -> Access:
    """What the request makes of ``current``; null takes everything away that the field says.

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
    """Adds to the transaction what links the team to what it gains, and unlinks what it loses."""
    for group in sorted(set(held.groups) - set(wanted.groups)):
        groups.unlink_team(work, group, team_id)
    for group in sorted(set(wanted.groups) - set(held.groups)):
        groups.link_team(work, group, team_id)
    for alias in sorted(set(held.models) - set(wanted.models)):
        groups.unlink_model(work, alias, team_id)
    for alias in sorted(set(wanted.models) - set(held.models)):
        groups.link_model(work, alias, team_id)


def allowed(team: Team) -> list[str]:
    """The aliases and wildcards that the team's calls may use, sorted."""
    return sorted({*groups.entries_of(team.access_groups), *team.models})


def check_default(alias: str | None) -> None:
    """Raises InvalidRequestError unless a model of that name could be called."""
    if alias is not None and alias != LOCAL_MODEL and models.find(alias) is None:
        raise InvalidRequestError(f"Unknown model alias '{alias}'", param="default_model")
