"""What a key is told about itself and its team. Knows no HTTP and no storage."""

from __future__ import annotations

from tollgate.auth.policy import Action
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError
from tollgate.core.fields import Amount, ResponseModel
from tollgate.credits import repository as credits
from tollgate.keys import repository as keys
from tollgate.teams.access import reachable
from tollgate.teams.model import TeamStatus


class KeyVerified(ResponseModel):
    """The key counts, or the answer would have been 401 or 403."""

    valid: bool
    team_id: str
    organization_id: str | None
    team_alias: str | None
    status: TeamStatus
    key_id: str
    key_alias: str | None
    access_groups: list[str]
    model_groups: list[str]
    credits_remaining: Amount


def verified(caller: Principal) -> KeyVerified:
    """The team of the presented key. Raises ForbiddenError for a credential that is no team's key (Q-05)."""
    key = keys.find(caller.key_id) if caller.key_id is not None else None
    if key is None or key.team_id is None:
        raise ForbiddenError("Key has no team", code="key_has_no_team")
    team = reachable(caller, key.team_id, Action.TEAM_READ)
    return KeyVerified(
        valid=True,
        team_id=team.team_id,
        organization_id=team.organization_id,
        team_alias=team.team_alias,
        status=team.status,
        key_id=key.key_id,
        key_alias=key.key_alias,
        access_groups=list(team.access_groups),
        model_groups=list(team.model_groups),
        credits_remaining=credits.find(team.uid, team.account_items).remaining,
    )
