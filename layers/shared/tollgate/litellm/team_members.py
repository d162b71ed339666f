"""Members of teams in the dialect (contract litellm 1.4): an item each, so that no addition is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from tollgate.auth.policy import Action, Owner, has_role
from tollgate.auth.principal import Principal, Role
from tollgate.core.errors import AlreadyExistsError, NotFoundError, TollgateError
from tollgate.core.fields import Amount
from tollgate.core.money import plain
from tollgate.keys import repository as keys
from tollgate.keys.management import key_management
from tollgate.keys.model import KeyStatus
from tollgate.limits import repository as limits
from tollgate.limits.fields import LIMIT_FIELDS, SpendAnswer
from tollgate.limits.model import NO_LIMITS, Limits, Scope
from tollgate.limits.repository import SHARED
from tollgate.litellm import team_rows
from tollgate.litellm.budget_tables import table_of
from tollgate.litellm.budgets import BudgetRow, row_of
from tollgate.litellm.errors import DialectError, Shape
from tollgate.litellm.fields import DialectRow, Moment
from tollgate.litellm.members import MemberUser, user_row
from tollgate.litellm.reached_teams import reached
from tollgate.litellm.team_requests import (
    MOST_AT_ONCE,
    AddManyMembers,
    AddTeamMembers,
    ChangeTeamMember,
    NewTeamMember,
    RemoveTeamMember,
    Who,
)
from tollgate.litellm.team_rows import TeamRow
from tollgate.settings import settings
from tollgate.teams import repository as teams
from tollgate.teams.model import Team
from tollgate.tenants import spending
from tollgate.tenants.budgets import AdjustSpend, budget_service
from tollgate.tenants.members import invited, member_service
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import InviteMember, Membership, UpdateMember

_SCOPE = Scope.TEAM_MEMBER
_STORED = {"admin": Role.TEAM_ADMIN, "user": Role.TEAM_MEMBER}
# What is said of all members of one request.
_LIMITS = LIMIT_FIELDS - {"max_budget"}


class TeamMembershipRow(DialectRow):
    """What a member may use and has used; he has a budget row where he is limited."""

    user_id: str
    team_id: str
    budget_id: str | None
    spend: Amount
    litellm_budget_table: BudgetRow | None


class TeamWithMembers(TeamRow):
    """The team, and who has been added to it."""

    updated_users: list[MemberUser]
    updated_team_memberships: list[TeamMembershipRow]


class TeamMemberChanged(DialectRow):
    """A member's own limits after the change."""

    team_id: str
    user_id: str
    user_email: str | None
    role: str
    max_budget_in_team: Amount | None
    budget_duration: str | None
    tpm_limit: int | None
    rpm_limit: int | None
    allowed_models: list[str] | None
    temp_budget_increase: Amount | None
    temp_budget_expiry: Moment | None


class AddResult(DialectRow):
    user_id: str | None
    user_email: str | None
    success: bool
    error: str | None
    updated_user: MemberUser | None
    updated_team_membership: TeamMembershipRow | None


class ManyMembersAdded(DialectRow):
    team_id: str
    results: list[AddResult]
    total_requested: int
    successful_additions: int
    failed_additions: int
    updated_team: TeamRow


def add(caller: Principal, request: AddTeamMembers) -> TeamWithMembers:
    """Makes users members, and users of those who are none yet. Who of a list is a member already is left out."""
    if _enters(caller, request):
        return _entered(caller, request)
    team = reached(caller, request.team_id, Action.MEMBER_WRITE, "/team/member_add")
    wanted = request.member if isinstance(request.member, list) else [request.member]
    missing = [member for member in _distinct(wanted) if _find(team, member) is None]
    if not missing:
        raise _twice(team, wanted)
    return _with_members(team, [_added(caller, team, member, request) for member in missing])


def _with_members(team: Team, added: Sequence[Membership]) -> TeamWithMembers:
    known = users.find_all(membership.user_id for membership in added)
    row = team_rows.rows([team])[0]
    return TeamWithMembers(
        **dict(row),
        updated_users=[user_row(user) for user in known.values()],
        updated_team_memberships=rows(team, added),
    )


def _enters(caller: Principal, request: AddTeamMembers) -> bool:
    """Whether a user wants nothing but to join a team that is open to all, as whatever its members are."""
    if request.team_id not in settings().available_teams or caller.user_id is None or caller.platform_role is not None:
        return False
    member = request.member
    return (
        not isinstance(member, list)
        and member.user_id == caller.user_id
        and member.role == "user"
        and not _limits(request)
    )


def _entered(caller: Principal, request: AddTeamMembers) -> TeamWithMembers:
    try:
        membership = member_service().enter(caller, request.team_id)
    except NotFoundError:
        raise DialectError(404, f"Team not found, passed team_id={request.team_id}", quoted=True) from None
    except AlreadyExistsError:
        message = f"User already in team. Member: {caller.user_id}, team_id={request.team_id}"
        raise _already(message) from None
    team = teams.find(request.team_id)
    assert team is not None
    return _with_members(team, [membership])


def add_many(caller: Principal, request: AddManyMembers) -> ManyMembersAdded:
    """The same of up to 500, each with a result of his own."""
    team = reached(caller, request.team_id, Action.MEMBER_WRITE, "/team/bulk_member_add")
    if not 1 <= len(request.members) <= MOST_AT_ONCE:
        message = f"Between 1 and {MOST_AT_ONCE} members can be added at once. Received: {len(request.members)}"
        raise DialectError(400, message, quoted=True)
    results = [_result(caller, team, member, request) for member in request.members]
    successes = sum(result.success for result in results)
    return ManyMembersAdded(
        team_id=team.team_id,
        results=results,
        total_requested=len(results),
        successful_additions=successes,
        failed_additions=len(results) - successes,
        updated_team=team_rows.rows([team])[0],
    )


def reset(caller: Principal, team_id: str, user_id: str, reset_to: Decimal, route: str) -> TeamMembershipRow:
    """Sets what a member has spent in this window, at most to what he has (Q-45)."""
    team = reached(caller, team_id, Action.MEMBER_WRITE, route)
    membership = _member(team, Who.model_construct(user_id=user_id))
    (row,) = rows(team, [membership])
    if reset_to > row.spend:
        message = f"reset_to ({plain(reset_to)}) must be less than or equal to current spend ({plain(row.spend)})"
        raise DialectError(400, message, quoted=True)
    if reset_to < row.spend:
        budget_service().adjust(caller, _SCOPE, membership.member_id, AdjustSpend(spend=reset_to))
    return rows(team, [membership])[0]


def own(caller: Principal, team_id: str) -> TeamMembershipRow:
    """The caller's own membership; 404 where he has none, whether or not there is such a team."""
    user = users.find(caller.user_id) if caller.user_id is not None else None
    team = teams.find(team_id)
    membership = memberships.find(team.uid, user.uid) if team is not None and user is not None else None
    if team is None or team.deleting or membership is None:
        message = f"User={caller.user_id} is not a member of team={team_id}"
        raise DialectError(404, message, quoted=True)
    return rows(team, [membership])[0]


def add_one(caller: Principal, request: AddTeamMembers, member: NewTeamMember) -> TeamMembershipRow:
    """The same of one member alone, whose answer is as large however many the team has."""
    team = reached(caller, request.team_id, Action.MEMBER_WRITE, "/team/member_add")
    return rows(team, [_added(caller, team, member, request)])[0]


def found(caller: Principal, team: Team, wanted: Sequence[NewTeamMember]) -> None:
    """The first members of a team that has just been made."""
    for member in wanted:
        _added(caller, team, member, None)


def update(caller: Principal, request: ChangeTeamMember) -> TeamMemberChanged:
    """Changes a member's role and limits."""
    team = reached(caller, request.team_id, Action.MEMBER_WRITE, "/team/member_update", status=400)
    membership = _member(team, request)
    changes = _limits(request)
    if request.role is not None:
        changes["role"] = _STORED[request.role]
    change = UpdateMember.model_construct(set(changes), **changes)
    answer = member_service().update(caller, _SCOPE, team.team_id, membership.user_id, change)
    return TeamMemberChanged(
        team_id=team.team_id,
        user_id=membership.user_id,
        user_email=request.user_email,
        role="admin" if answer.role is Role.TEAM_ADMIN else "user",
        max_budget_in_team=answer.max_budget,
        **{name: getattr(answer, name) for name in _ECHOED},
    )


_ECHOED = (
    "budget_duration",
    "tpm_limit",
    "rpm_limit",
    "allowed_models",
    "temp_budget_increase",
    "temp_budget_expiry",
)


def delete(caller: Principal, request: RemoveTeamMember) -> TeamRow:
    """Ends a membership, and the member's keys in the team."""
    return team_rows.rows([remove(caller, request)])[0]


def remove(caller: Principal, request: RemoveTeamMember) -> Team:
    """The same; the team without its members."""
    team = reached(caller, request.team_id, Action.MEMBER_WRITE, "/team/member_delete", status=400)
    membership = _member(team, request)
    member_service().remove(caller, _SCOPE, team.team_id, membership.user_id)
    own = [
        key.key_id
        for key in keys.all_of_team(team.uid)
        if key.status is KeyStatus.ACTIVE and key.user_id == membership.user_id
    ]
    key_management().revoke(caller, own)
    return team


def rows(team: Team, found: Sequence[Membership]) -> list[TeamMembershipRow]:
    """The memberships of a team with what their users spent in this window."""
    return rows_of_all([(team, found)])[0]


def rows_of_all(found: Sequence[tuple[Team, Sequence[Membership]]]) -> list[list[TeamMembershipRow]]:
    """The same of several teams; what can be read together is, for all of them."""
    spenders = [spending.member_spender(one, team.member_budget_id) for team, own in found for one in own]
    spends = iter(spending.of_all(spenders, member_service().clock()))
    return [_rows(own, spends, default_table(team), limits.shared(team.member_budget_id)) for team, own in found]


def _rows(
    found: Sequence[Membership], spends: Iterator[SpendAnswer], default: BudgetRow | None, row: Limits | None
) -> list[TeamMembershipRow]:
    return [
        TeamMembershipRow(
            user_id=one.user_id,
            team_id=one.owner_id,
            budget_id=table.budget_id if table is not None else None,
            spend=next(spends).spend,
            litellm_budget_table=table,
        )
        for one in found
        for table in [_table(one, row) or default]
    ]


def default_table(team: Team) -> BudgetRow | None:
    """What limits members who have no limits of their own."""
    row = limits.find(SHARED, team.member_budget_id) if team.member_budget_id is not None else None
    if row is None:
        return None
    return row_of(row.scope_id, row.limits, (row.created_at, row.created_by), (row.updated_at, row.updated_by))


def _table(membership: Membership, default: Limits | None) -> BudgetRow | None:
    """His own limits, with the team's where they say nothing."""
    if membership.limits == NO_LIMITS:
        return None
    created = membership.created_at, membership.created_by
    updated = membership.updated_at, membership.updated_by
    return table_of(membership.limits, f"member-{membership.uid}", created, updated, default)


def _result(caller: Principal, team: Team, member: NewTeamMember, request: AddManyMembers) -> AddResult:
    added, error = None, None
    try:
        added = _added(caller, team, member, request)
    except TollgateError as refused:
        error = refused.message
    user = users.find(added.user_id) if added is not None else None
    return AddResult(
        user_id=added.user_id if added is not None else member.user_id,
        user_email=user.email if user is not None else member.user_email,
        success=added is not None,
        error=error,
        updated_user=user_row(user) if user is not None else None,
        updated_team_membership=rows(team, [added])[0] if added is not None else None,
    )


def _added(
    caller: Principal, team: Team, member: NewTeamMember, request: AddTeamMembers | AddManyMembers | None
) -> Membership:
    """A new membership. An unknown user is made by the platform only if he has an id, by all if he has an address."""
    if member.user_id is not None and users.find(member.user_id) is None:
        _check_creation(caller, team, member.user_id)
    fields = _limits(request) if request is not None else {}
    invitation = _invitation(member, **fields, role=_STORED[member.role])
    try:
        return member_service().invite(caller, _SCOPE, team.team_id, invitation)
    except AlreadyExistsError as error:
        if error.stable_code != "member_exists":
            raise
        raise _twice(team, [member]) from None


def _check_creation(caller: Principal, team: Team, user_id: str) -> None:
    if has_role(caller, Action.USER_WRITE, Owner()):
        return
    message = f"User={user_id} not found. Only proxy admins can create users by id. team_id={team.team_id}"
    raise DialectError(403, message, quoted=True)


def _limits(request: AddTeamMembers | AddManyMembers | ChangeTeamMember) -> dict[str, Any]:
    """The limits that were sent, under the domain's names."""
    values = {name: getattr(request, name) for name in request.model_fields_set & _LIMITS}
    if "max_budget_in_team" in request.model_fields_set:
        values["max_budget"] = request.max_budget_in_team
    return values


def _invitation(who: Who, **fields: Any) -> InviteMember:
    named = {"user_id": who.user_id, "email": who.user_email} | fields
    return InviteMember.model_construct(set(named), **named)


def _find(team: Team, who: Who) -> Membership | None:
    user = invited(_invitation(who))
    return memberships.find(team.uid, user.uid) if user is not None else None


def _member(team: Team, who: Who) -> Membership:
    membership = _find(team, who)
    if membership is None:
        name = f"user_id={who.user_id}" if who.user_id is not None else f"user_email={who.user_email}"
        raise DialectError(400, f"User not found in team. Team={team.team_id}, {name}", quoted=True)
    return membership


def _distinct(wanted: Sequence[NewTeamMember]) -> list[NewTeamMember]:
    return list({member.user_id or member.user_email: member for member in wanted}.values())


def _twice(team: Team, wanted: Sequence[NewTeamMember]) -> DialectError:
    names = ", ".join(member.user_id or member.user_email or "" for member in wanted)
    return _already(f"User already in team. Member: {names}, team_id={team.team_id}")


def _already(message: str) -> DialectError:
    return DialectError(400, message, kind="team_member_already_in_team", param="member", shape=Shape.INTERNAL)
