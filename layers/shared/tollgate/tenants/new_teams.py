"""How a team comes to be, on either surface: itself, its account, its links and its first key, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from tollgate.audit import repository as audit
from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock
from tollgate.core.errors import WrongStateError
from tollgate.core.object_permissions import ObjectPermission
from tollgate.credits import repository as credits
from tollgate.credits.model import AccountOwner, Transaction, TransactionType
from tollgate.keys import repository as keys
from tollgate.keys.service import new_key
from tollgate.limits.account import CreditsSource
from tollgate.limits.fields import LIMIT_FIELDS, described
from tollgate.limits.model import NO_LIMITS
from tollgate.limits.service import changed
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization, ShareChange
from tollgate.table.transactions import Work, retried
from tollgate.teams import repository
from tollgate.teams.access import event_of
from tollgate.teams.model import ModelAccess, NewTeam, Team, TeamStatus, UpdateTeam
from tollgate.tenants import member_defaults, model_access, shares
from tollgate.tenants.model_access import Access
from tollgate.tenants.paying import paying

# What decides how much a credit buys: the platform's to say, as it is to create credits.
PRICING = frozenset(
    {"budget_mode", "credits_per_dollar", "tokens_per_credit", "cost_markup_percentage", "credit_price_usd"}
)


@dataclass(frozen=True, slots=True)
class Made:
    """A new team, and its primary key if it has one: nobody can see that again."""

    team: Team
    secret: str | None


def made(
    caller: Principal, request: NewTeam, clock: Clock, access: Access | None = None, *, bare: bool = False
) -> Made:
    """A new, active team. Without an organization it is the platform's (Q-03).

    ``access`` instead of the request's fields says which models it may use. ``bare``: it has no primary key, and pays
    nothing unless it is said to (Q-06). Raises NotFoundError for an unknown organization, InvalidRequestError for an
    unknown access group, AlreadyExistsError if the id is taken, WrongStateError if its share of the organization's
    budget does not fit.
    """
    return retried(lambda: _made(caller, request, clock, access, bare=bare))


def _made(caller: Principal, request: NewTeam, clock: Clock, access: Access | None, *, bare: bool) -> Made:
    organization = _organization(caller, request)
    _check_rights(caller, request)
    access = access or model_access.wanted(request, Access())
    model_access.check_default(request.default_model)
    now = clock()
    permission = permission_of(request, None) or {}
    draft = _draft(request, access, organization, now)
    draft = replace(draft, object_permission_id=ids.new_ulid() if permission else None)
    draft = _bare(caller, draft, organization) if bare else replace(draft, team_alias=draft.team_alias or draft.team_id)
    work = Work()
    draft = paying(caller, request, draft, now)
    budget_id = member_defaults.applied(work, caller, draft, request, now, is_new=True)
    team = replace(draft, member_budget_id=budget_id)
    secret = None
    if not bare:
        secret, key = new_key(team, now)
        team = replace(team, key_id=key.key_id, key_mask=key.mask)
        keys.create(work, key, caller.actor)
    repository.create(work, team, request.metadata, caller.actor, permission)
    first = _allocation(request.credits_allocated, caller, now) if request.credits_allocated else None
    credits.open_account(work, AccountOwner(team=team), first)
    model_access.relink(work, team.team_id, Access(), access)
    organizations.count_teams(
        work,
        team.organization_id,
        team.organization_uid,
        teams=1,
        active=1,
        allocated=request.credits_allocated,
        share=_share(work, organization, request, now),
    )
    audit.append(work, event_of(caller, team, "created", now, after=_described(request, team, access)))
    work.commit()
    return Made(team, secret)


def permission_of(request: NewTeam | UpdateTeam, team: Team | None) -> dict[str, Any] | None:
    """What is stored of the object permission after the request; None where it does not say anything of it."""
    if "object_permission" not in request.model_fields_set:
        return None
    stored = repository.object_permission_of(team.team_id) if team is not None else {}
    return (request.object_permission or ObjectPermission()).over(stored)


def _organization(caller: Principal, request: NewTeam) -> Organization | None:
    if request.organization_id is None:
        authorize(caller, Action.TEAM_CREATE)
        return None
    return organization_access.reachable(caller, request.organization_id, Action.TEAM_CREATE)


def _check_rights(caller: Principal, request: NewTeam) -> None:
    """Credits, and what one buys, are the platform's to give, whoever may make the team (Q-06, Q-08)."""
    owner = Owner(request.organization_id, request.team_id)
    if request.credits_allocated:
        authorize(caller, Action.CREDITS_ADD, owner)
    defaults = {name: NewTeam.model_fields[name].default for name in PRICING}
    if any(getattr(request, name) != default for name, default in defaults.items()):
        authorize(caller, Action.CREDITS_CONFIGURE, owner)


def _draft(request: NewTeam, access: Access, organization: Organization | None, now: datetime) -> Team:
    """The team as it will be, but for its key and for who pays."""
    permissions = request.team_member_permissions
    return Team(
        team_id=request.team_id,
        uid=ids.new_ulid(),
        organization_id=organization.organization_id if organization is not None else None,
        organization_uid=organization.uid if organization is not None else None,
        team_alias=request.team_alias,
        status=TeamStatus.ACTIVE,
        status_reason=None,
        blocked=request.blocked,
        deleting=False,
        access_groups=access.groups,
        models=access.models,
        model_access=ModelAccess.ALL if access.everything else ModelAccess.LISTED,
        default_model=request.default_model,
        budget_mode=request.budget_mode,
        credits_per_dollar=request.credits_per_dollar,
        tokens_per_credit=request.tokens_per_credit,
        cost_markup_percentage=request.cost_markup_percentage,
        credit_price_usd=request.credit_price_usd,
        charge_failed_jobs=request.charge_failed_jobs,
        key_id=None,
        key_mask=None,
        created_at=now,
        updated_at=now,
        limits=changed(NO_LIMITS, request.limits_sent()),
        tags=tuple(request.tags),
        member_key_duration=request.member_key_duration,
        default_member_models=tuple(request.default_member_models or ()),
        model_aliases=request.model_aliases or {},
        allocated_budget=request.allocated_budget,
        team_member_permissions=tuple(permissions) if permissions is not None else None,
    )


def _bare(caller: Principal, draft: Team, organization: Organization | None) -> Team:
    """Nobody pays (Q-06); but where the organization has an account, its admins do not get around that (Q-08)."""
    has_account = organization is not None and organization.has_account
    escapes = has_account and caller.platform_role is None
    return replace(draft, credits_source=CreditsSource.ORGANIZATION if escapes else CreditsSource.NONE)


def _share(work: Work, organization: Organization | None, request: NewTeam, now: datetime) -> ShareChange | None:
    if request.allocated_budget is None:
        return None
    if organization is None:
        raise WrongStateError("The team has no organization to allocate from", code="nothing_to_allocate")
    return shares.given(work, organization, request.allocated_budget, now)


def _described(request: NewTeam, team: Team, access: Access) -> dict[str, Any]:
    """The team as the audit log has it."""
    after = request.model_dump(mode="json", exclude={*LIMIT_FIELDS, "model_groups", "member_limits"})
    return after | access.attributes | described(team.limits, request.limits_sent())


def _allocation(amount: int, caller: Principal, now: datetime) -> Transaction:
    """The first ledger entry of an account that does not start empty."""
    return Transaction(
        transaction_id=ids.new_ulid(),
        transaction_type=TransactionType.ALLOCATION,
        amount=Decimal(amount),
        before=Decimal(0),
        after=Decimal(amount),
        reason="Initial allocation",
        actor=caller.actor,
        created_at=now,
    )
