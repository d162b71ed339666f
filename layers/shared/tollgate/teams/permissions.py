"""What a team's members may do with its keys: the routes that the team grants them (contract litellm 2.5)."""

from __future__ import annotations

import re

from tollgate.auth.principal import Principal, Role
from tollgate.teams.model import Team

# What every member may, whatever the team says.
BASELINE = ("/key/info", "/key/health")
# What a team may grant besides.
GRANTABLE = (
    "/key/generate",
    "/key/service-account/generate",
    "/key/update",
    "/key/delete",
    "/key/regenerate",
    "/key/block",
    "/key/unblock",
    "/key/list",
    "/key/aliases",
    "/team/key/bulk_update",
)
_PARAMETER = re.compile(r"\{[^}]*\}")
# Another way to the same thing.
_SAME = {"/key/{key}/regenerate": "/key/regenerate"}


def granted(team: Team) -> tuple[str, ...]:
    """The routes that count; what is stored and means nothing opens nothing."""
    stored = {_plain(route) for route in team.team_member_permissions or ()}
    return (*BASELINE, *(route for route in GRANTABLE if route in stored))


def permits(caller: Principal, team: Team, route: str) -> bool:
    """Whether the caller is a member of the team, and its members may use ``route`` on its keys."""
    return is_member(caller, team.team_id) and route in granted(team)


def is_member(caller: Principal, team_id: str) -> bool:
    return Role.TEAM_MEMBER in caller.roles_for(None, team_id)


def _plain(route: str) -> str:
    plain = _PARAMETER.sub("{key}", route)
    return _SAME.get(plain, plain)
