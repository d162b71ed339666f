"""Whose calls a caller sees in the dialect (contract litellm 1.9, 2.2, 2.4): one rule for logs and their summaries.

The platform's people see all. A user sees the calls that were made in his name, whatever user he names, and beside
these the keys and teams that he manages. Ids of others are refused in the same words as unknown ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from tollgate.auth.policy import Action, Owner, has_role
from tollgate.auth.principal import Principal
from tollgate.core.errors import ForbiddenError, NotFoundError
from tollgate.keys import repository as virtual_keys
from tollgate.keys.access import caller_as_user, is_of, owner_of
from tollgate.keys.model import VirtualKey
from tollgate.litellm.errors import DialectError
from tollgate.litellm.key_requests import id_of
from tollgate.organizations import repository as organizations
from tollgate.table import keys
from tollgate.teams import access as team_access
from tollgate.teams import repository as teams
from tollgate.usage.calls import LoggedCall, Whose
from tollgate.usage.daily import Part
from tollgate.users.model import User

# Keys whose usage is told one by one, the newest.
MOST_KEYS = 1_000

Sees = Callable[[LoggedCall], bool]
Counts = Callable[[Part], bool]


@dataclass(frozen=True, slots=True)
class Seen:
    """Where calls are looked for, which of them the caller sees, and which buckets; ``since`` what day on."""

    whose: Whose
    sees: Sees = lambda _: True
    counts: Counts = lambda _: True
    since: datetime | None = None


def sees_all(caller: Principal) -> bool:
    """Whether the caller is of the platform itself."""
    return has_role(caller, Action.USAGE_READ_PLATFORM, Owner())


def every_key() -> list[VirtualKey]:
    """All keys, as far as their usage is told one by one."""
    return list(islice(virtual_keys.links(everywhere=True).all(), MOST_KEYS))


def seen_by(caller: Principal, api_key: str | None, user_id: str | None, team_id: str | None = None) -> Seen:
    """What the caller sees of a key (string or hash), a team or a user; of everything if nothing is named.

    Raises DialectError 403 for a key or a team that is neither his nor managed by him.
    """
    if api_key:
        return _of_key(caller, id_of(api_key), user_id or None)
    if sees_all(caller):
        if team_id:
            return _of_team(team_id)
        return Seen(Whose(keys.USAGE_USER, user_id)) if user_id else Seen(Whose(keys.USAGE_PLATFORM))
    if team_id:
        return _of_own_team(caller, team_id)
    return _own(caller)


def may_see(caller: Principal, call: LoggedCall) -> bool:
    """Whether the caller sees a call of which he knows the id."""
    if sees_all(caller):
        return True
    if _manages(caller, call):
        return True
    user = caller_as_user(caller)
    return user is not None and _is_his(user, call)


def _of_key(caller: Principal, key_id: str, user_id: str | None) -> Seen:
    whose = Whose(keys.USAGE_KEY, key_id)
    key = virtual_keys.find(key_id)
    if sees_all(caller):
        # Buckets do not tell a key's users apart: all of its calls are those of the one whom it names.
        named = user_id is None or (key is not None and key.user_id == user_id)
        return Seen(whose, sees=lambda call: user_id in {None, call.user_id}, counts=lambda _: named)
    if key is not None and has_role(caller, Action.KEY_LIST, owner_of(key)):
        return Seen(whose, sees=lambda call: _is_under(key, call), counts=lambda part: _counts_under(key, part))
    user = caller_as_user(caller)
    if key is None or user is None or not is_of(user, key):
        raise DialectError(403, "You are not authorized to check this key's spend")
    return Seen(whose, sees=lambda call: _is_his(user, call), since=user.created_at)


def _of_team(team_id: str) -> Seen:
    team = teams.find(team_id)
    # What is not there has no calls.
    return Seen(Whose(keys.USAGE_OWNER, team.uid if team is not None else ""))


def _of_own_team(caller: Principal, team_id: str) -> Seen:
    try:
        team = team_access.reachable(caller, team_id, Action.KEY_READ)
    except (NotFoundError, ForbiddenError):
        raise DialectError(403, "You are not authorized to check this team's spend") from None
    if has_role(caller, Action.KEY_LIST, Owner(team.organization_id, team.team_id)):
        return Seen(Whose(keys.USAGE_OWNER, team.uid))
    user = _user(caller)
    return Seen(
        Whose(keys.USAGE_USER, user.user_id),
        sees=lambda call: _is_his(user, call) and call.team_uid == team.uid,
        counts=lambda part: part.owner_uid == team.uid,
        since=user.created_at,
    )


def _own(caller: Principal) -> Seen:
    user = _user(caller)
    return Seen(Whose(keys.USAGE_USER, user.user_id), sees=lambda call: _is_his(user, call), since=user.created_at)


def _user(caller: Principal) -> User:
    user = caller_as_user(caller)
    if user is None:
        raise DialectError(403, "You are not authorized to check another user's spend")
    return user


def _is_his(user: User, call: LoggedCall) -> bool:
    """Whether the call was made in the name of the user, and not of one who had his id before him (Q-01)."""
    return call.user_id == user.user_id and call.started_at >= user.created_at


def _is_under(key: VirtualKey, call: LoggedCall) -> bool:
    """Whether the call was made where the key is now: what it did elsewhere before is not its managers' business."""
    return (call.team_uid, call.organization_uid) == (key.team_uid, key.organization_uid)


def _counts_under(key: VirtualKey, part: Part) -> bool:
    return part.owner_uid == (key.team_uid or key.organization_uid)


def _manages(caller: Principal, call: LoggedCall) -> bool:
    """Whether he manages the call's team or organization: those who have these ids now may be others (Q-01)."""
    if call.team_id is not None and has_role(caller, Action.KEY_LIST, Owner(team_id=call.team_id)):
        team = teams.find(call.team_id)
        if team is not None and team.uid == call.team_uid:
            return True
    if call.organization_id is None or not has_role(caller, Action.KEY_LIST, Owner(call.organization_id)):
        return False
    organization = organizations.find(call.organization_id)
    return organization is not None and organization.uid == call.organization_uid
