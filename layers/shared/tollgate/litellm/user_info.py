"""What the dialect shows of a user (contract litellm 1.5): with his keys and teams, or the row alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from tollgate.auth.policy import PLATFORM, Action, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.keys import repository as keys
from tollgate.keys.model import KeyStatus, VirtualKey
from tollgate.litellm import key_rows, team_members, team_rows, user_rows
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRow
from tollgate.litellm.key_rows import TokenRow
from tollgate.litellm.team_members import TeamMembershipRow
from tollgate.litellm.team_rows import TeamRow
from tollgate.litellm.user_rows import Seen, UserRow, seen
from tollgate.teams import repository as teams
from tollgate.users.access import visible

# How many keys and teams are shown to whoever asks for everybody's at once.
_MOST_OF_ALL = 500


class TeamOfUser(TeamRow):
    """A team with the user's own membership in it."""

    team_memberships: list[TeamMembershipRow]


class UserInfo(DialectRow):
    """A user with his keys and teams; ``user_id`` null: everybody's."""

    user_id: str | None
    user_info: UserRow | None
    keys: list[TokenRow]
    teams: list[TeamOfUser]


class RoleDescription(DialectRow):
    description: str
    ui_label: str


ROLES = {
    "proxy_admin": RoleDescription(
        description="manages the platform: every organization, team, user, key and model", ui_label="Admin (All)"
    ),
    "proxy_admin_viewer": RoleDescription(
        description="sees all that an admin sees; changes nothing and calls no model", ui_label="Admin (View Only)"
    ),
    "internal_user": RoleDescription(
        description="makes, sees and deletes own keys, and sees what they spend", ui_label="Internal User"
    ),
    "internal_user_viewer": RoleDescription(
        description="sees own keys and what they spend; makes none", ui_label="Internal User (View Only)"
    ),
}


def info(caller: Principal, user_id: str | None) -> UserInfo:
    """A user with his keys and teams: oneself if nobody is named, and to the platform's administrators everybody's."""
    if user_id is None and has_role(caller, Action.USER_WRITE, PLATFORM):
        return _everybody()
    one = _visible(caller, user_id)
    return UserInfo(
        user_id=one.user.user_id,
        user_info=user_rows.rows([one])[0],
        keys=_keys(one.keys),
        teams=_teams(one),
    )


def flat_info(caller: Principal, user_id: str | None) -> UserRow:
    """The row alone."""
    return user_rows.rows([_visible(caller, user_id, with_keys=False)])[0]


def _visible(caller: Principal, user_id: str | None, *, with_keys: bool = True) -> Seen:
    wanted = user_id if user_id is not None else caller.user_id
    missing = DialectError(404, f"User {wanted} not found")
    if wanted is None:
        raise missing
    try:
        user = visible(caller, wanted)
    except (NotFoundError, ForbiddenError):
        if has_role(caller, Action.USER_READ, PLATFORM):
            raise missing from None
        message = f"key not allowed to access this user's info. user_id={wanted}, key's user_id={caller.user_id}"
        raise DialectError(403, message) from None
    return seen(caller, user, with_keys=with_keys)


def _everybody() -> UserInfo:
    """The newest keys and teams that there are."""
    links = keys.links(everywhere=True)
    found = [key for key in keys.find_all(islice(links.ids(), _MOST_OF_ALL)) if key.status is KeyStatus.ACTIVE]
    every = list(islice((team for team in teams.every() if not team.deleting), _MOST_OF_ALL))
    return UserInfo(
        user_id=None,
        user_info=None,
        keys=_keys(found),
        teams=[TeamOfUser(**dict(row), team_memberships=[]) for row in team_rows.rows(every)],
    )


def _keys(found: Sequence[VirtualKey]) -> list[TokenRow]:
    rows = zip(found, key_rows.fields(found), strict=True)
    return [TokenRow.model_validate(row | {"token": key.key_id}) for key, row in rows]


def _teams(one: Seen) -> list[TeamOfUser]:
    """The teams that are there still, each with the user's membership."""
    found = [(teams.find(place.owner_id), place) for place in one.teams]
    present = [
        (team, place) for team, place in found if team is not None and team.uid == place.owner_uid and not team.deleting
    ]
    rows = team_rows.rows([team for team, _ in present])
    return [
        TeamOfUser(**dict(row), team_memberships=team_members.rows(team, [place]))
        for row, (team, place) in zip(rows, present, strict=True)
    ]
