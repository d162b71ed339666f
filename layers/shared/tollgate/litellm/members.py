"""Members of organizations in the dialect (contract litellm 1.3, 2.3): an item each, so that no addition is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal, Role
from tollgate.core.errors import AlreadyExistsError, ForbiddenError, NotFoundError
from tollgate.core.fields import Amount
from tollgate.limits.fields import LooseId, SpendAnswer, Usd
from tollgate.limits.model import NO_LIMITS, Scope
from tollgate.litellm import errors
from tollgate.litellm.api import role_of
from tollgate.litellm.budget_tables import table_of
from tollgate.litellm.budgets import BudgetRow
from tollgate.litellm.errors import DialectError
from tollgate.litellm.fields import DialectRequest, DialectRow, Moment
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.tenants import spending
from tollgate.tenants.members import invited, member_service
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import Email, InviteMember, Membership, UpdateMember, User, UserRole

OrganizationRole = Literal["org_admin", "internal_user", "internal_user_viewer"]

# Decisions, section 6: an owner is shown as an administrator, and stays an owner where that is sent back.
_STORED: dict[str, Role] = {
    "org_admin": Role.ORG_ADMIN,
    "internal_user": Role.ORG_DEVELOPER,
    "internal_user_viewer": Role.ORG_VIEWER,
}
_SHOWN: dict[Role, OrganizationRole] = {
    Role.ORG_OWNER: "org_admin",
    Role.ORG_ADMIN: "org_admin",
    Role.ORG_DEVELOPER: "internal_user",
    Role.ORG_VIEWER: "internal_user_viewer",
}
USER_ROLES = {
    UserRole.PLATFORM_OWNER: "proxy_admin",
    UserRole.PLATFORM_ADMIN: "proxy_admin",
    UserRole.PLATFORM_VIEWER: "proxy_admin_viewer",
    UserRole.MEMBER: "internal_user",
    UserRole.MEMBER_VIEWER: "internal_user_viewer",
}
_SCOPE = Scope.ORGANIZATION_MEMBER


class _Who(DialectRequest):
    """A user by his id, else by his e-mail address."""

    user_id: LooseId | None = None
    user_email: Email | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.user_id is None and self.user_email is None:
            message = "Either user id or user email must be provided"
            raise ValueError(message)
        return self


class NewMember(_Who):
    role: OrganizationRole


class AddMembers(DialectRequest):
    """``max_budget_in_organization`` (USD) is what each of them may spend in it."""

    organization_id: LooseId
    member: NewMember | Annotated[list[NewMember], Field(min_length=1, max_length=500)]
    max_budget_in_organization: Usd | None = None


class ChangeMember(_Who):
    """Only what is sent changes; a null budget is taken away."""

    organization_id: LooseId
    role: OrganizationRole | None = None
    max_budget_in_organization: Usd | None = None


class RemoveMember(_Who):
    organization_id: LooseId


class MemberUser(DialectRow):
    user_id: str
    user_alias: str | None
    user_email: str | None
    user_role: str
    models: list[str]
    max_budget: Amount | None
    budget_duration: str | None
    tpm_limit: int | None
    rpm_limit: int | None
    max_parallel_requests: int | None
    created_at: Moment
    updated_at: Moment


class MemberRow(DialectRow):
    """A membership; it has a budget row where it is limited."""

    user_id: str
    organization_id: str
    user_role: OrganizationRole
    spend: Amount
    budget_id: str | None
    created_at: Moment
    updated_at: Moment
    user: MemberUser | None
    user_email: str | None
    litellm_budget_table: BudgetRow | None


class MembersAdded(DialectRow):
    organization_id: str
    updated_users: list[MemberUser]
    updated_organization_memberships: list[MemberRow]


def add(caller: Principal, request: AddMembers) -> MembersAdded:
    """Makes users members, and users of those who are none yet; all of them unless one is a member already."""
    organization = _managed(caller, request.organization_id, "/organization/member_add", status=404)
    wanted = request.member if isinstance(request.member, list) else [request.member]
    _check_new(organization, wanted)
    added = [_added(caller, organization, member, request) for member in wanted]
    shown = rows(added)
    return MembersAdded(
        organization_id=organization.organization_id,
        updated_users=[row.user for row in shown if row.user is not None],
        updated_organization_memberships=shown,
    )


def update(caller: Principal, request: ChangeMember) -> MemberRow:
    """Changes a member's role and budget."""
    organization = _managed(caller, request.organization_id, "/organization/member_update", status=400)
    membership = _member(organization, request, status=404)
    changes: dict[str, Any] = {}
    if "max_budget_in_organization" in request.model_fields_set:
        changes["max_budget"] = request.max_budget_in_organization
    if request.role is not None and request.role != _SHOWN[membership.role]:
        changes["role"] = _STORED[request.role]
    change = UpdateMember.model_construct(set(changes), **changes)
    member_service().update(caller, _SCOPE, organization.organization_id, membership.user_id, change)
    return rows([_member(organization, request, status=404)])[0]


def delete(caller: Principal, request: RemoveMember) -> MemberRow:
    """Ends a membership; the row as it was."""
    organization = _managed(caller, request.organization_id, "/organization/member_delete", status=400)
    membership = _member(organization, request, status=400)
    row = rows([membership])[0]
    member_service().remove(caller, _SCOPE, organization.organization_id, membership.user_id)
    return row


def rows(found: Sequence[Membership]) -> list[MemberRow]:
    """The memberships with their users, and what those spent in this window."""
    known = users.find_all(membership.user_id for membership in found)
    spends = spending.of_all([spending.member_spender(membership) for membership in found], member_service().clock())
    return [
        _row(membership, known.get(membership.user_id), spend) for membership, spend in zip(found, spends, strict=True)
    ]


def _row(membership: Membership, user: User | None, spend: SpendAnswer) -> MemberRow:
    table = None
    if membership.limits != NO_LIMITS:
        created = membership.created_at, membership.created_by
        updated = membership.updated_at, membership.updated_by
        table = table_of(membership.limits, f"member-{membership.uid}", created, updated)
    return MemberRow(
        user_id=membership.user_id,
        organization_id=membership.owner_id,
        user_role=_SHOWN[membership.role],
        spend=spend.spend,
        budget_id=table.budget_id if table is not None else None,
        created_at=membership.created_at,
        updated_at=membership.updated_at,
        user=user_row(user) if user is not None else None,
        user_email=user.email if user is not None else None,
        litellm_budget_table=table,
    )


def user_row(user: User) -> MemberUser:
    own = user.limits
    return MemberUser(
        user_id=user.user_id,
        user_alias=user.display_name,
        user_email=user.email,
        user_role=USER_ROLES[user.role],
        models=list(user.models or ()),
        max_budget=own.max_budget,
        budget_duration=own.budget_duration,
        tpm_limit=own.tpm_limit,
        rpm_limit=own.rpm_limit,
        max_parallel_requests=own.max_parallel_requests,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )


def _managed(caller: Principal, organization_id: str, route: str, *, status: int) -> Organization:
    """The organization whose members the caller may manage; in the contract's words for those who may not (2.3)."""
    try:
        authorize(caller, Action.MEMBER_WRITE, Owner(organization_id))
    except (ForbiddenError, NotFoundError):
        raise _refusal(caller, organization_id, route) from None
    organization = organizations.find(organization_id)
    if organization is None or organization.deleting:
        message = f"Organization not found for organization_id={organization_id}"
        raise DialectError(status, message, quoted=True)
    return organization


def _refusal(caller: Principal, organization_id: str, route: str) -> DialectError:
    role = dict(caller.organization_roles).get(organization_id)
    if role is None:
        message = (
            f"You do not have a role within the selected organization. Passed organization_id: {organization_id}. "
            "Please contact the organization admin to be assigned a role."
        )
        return DialectError(401, message, kind=errors.AUTH, param="organization_id", shape=errors.Shape.AUTH)
    message = (
        f"You do not have the required role to perform {route} in Organization {organization_id}. "
        f"Your role is {_SHOWN.get(role, role_of(caller))} in Organization {organization_id}"
    )
    return DialectError(401, message, kind=errors.AUTH, param="user_role", shape=errors.Shape.AUTH)


def _member(organization: Organization, who: _Who, *, status: int) -> Membership:
    user = invited(_invitation(who))
    membership = memberships.find(organization.uid, user.uid) if user is not None else None
    if membership is None:
        name = f"user_id={who.user_id}" if who.user_id is not None else f"user_email={who.user_email}"
        raise DialectError(status, f"Member not found in organization for {name}", quoted=True)
    return membership


def _check_new(organization: Organization, wanted: Sequence[NewMember]) -> None:
    """Before anything is written, so that a list is not left half done by one that could be seen to fail."""
    seen: set[str] = set()
    for member in wanted:
        user = invited(_invitation(member))
        name = user.user_id if user is not None else member.user_id or member.user_email or ""
        if name in seen or (user is not None and memberships.find(organization.uid, user.uid) is not None):
            raise _twice(organization, member)
        seen.add(name)


def _added(caller: Principal, organization: Organization, member: NewMember, request: AddMembers) -> Membership:
    fields: dict[str, Any] = {"role": _STORED[member.role]}
    if request.max_budget_in_organization is not None:
        fields["max_budget"] = request.max_budget_in_organization
    try:
        return member_service().invite(caller, _SCOPE, organization.organization_id, _invitation(member, **fields))
    except AlreadyExistsError as error:
        if error.stable_code != "member_exists":
            raise
        raise _twice(organization, member) from None


def _invitation(who: _Who, **fields: Any) -> InviteMember:
    named = {"user_id": who.user_id, "email": who.user_email} | fields
    return InviteMember.model_construct(set(named), **named)


def _twice(organization: Organization, member: NewMember) -> DialectError:
    shown = member.model_dump(exclude_none=True)
    message = (
        f"Authentication Error, Error adding member={shown} to organization={organization.organization_id}: "
        "already a member"
    )
    return DialectError(500, message)
