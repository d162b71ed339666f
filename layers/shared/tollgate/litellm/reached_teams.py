"""How every endpoint of the dialect gets at a team, in the contract's words for those who may not."""

from __future__ import annotations

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.litellm.api import not_allowed
from tollgate.litellm.errors import DialectError
from tollgate.teams.access import reachable
from tollgate.teams.model import Team


def reached(caller: Principal, team_id: str, action: Action, route: str, *, status: int = 404) -> Team:
    """The team; who has no right over it learns nothing of whether there is one (contract 1.1, 2.4).

    ``status`` is what an unknown team is to the platform's roles.
    """
    try:
        return reachable(caller, team_id, action)
    except (NotFoundError, ForbiddenError) as error:
        if caller.platform_role is not None and isinstance(error, ForbiddenError):
            raise not_allowed(caller, route) from None
        if caller.platform_role is not None:
            raise DialectError(status, _unknown(team_id, status), quoted=True) from None
        message = f"Call not allowed. User not proxy admin OR team admin. route={route}, team_id={team_id}"
        raise DialectError(403, message, quoted=True) from None


def _unknown(team_id: str, status: int) -> str:
    return f"Team not found, passed team_id={team_id}" if status == 404 else f"Team id={team_id} does not exist in db"
