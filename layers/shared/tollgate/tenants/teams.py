"""Use cases of teams with their account, their keys and their access groups. Knows no HTTP and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any

from tollgate.audit import repository as audit
from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.core import ids
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import WrongStateError
from tollgate.core.pagination import Page, PageRequest
from tollgate.credits import repository as credits
from tollgate.credits.model import Account
from tollgate.keys import repository as keys
from tollgate.keys.model import KeyStatus
from tollgate.keys.service import new_key
from tollgate.limits import repository as limit_repository
from tollgate.limits.account_fields import ACCOUNT_FIELDS, TeamAccountFields
from tollgate.limits.fields import LIMIT_FIELDS, described, settings_of
from tollgate.limits.service import changed
from tollgate.organizations import access as organization_access
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.table.transactions import Work, retried
from tollgate.teams import repository
from tollgate.teams.access import event_of, reachable
from tollgate.teams.model import (
    DEFAULT_TOKENS_PER_CREDIT,
    BudgetMode,
    KeyRotated,
    ModelGroupsAssigned,
    NewTeam,
    SetModelGroups,
    Team,
    TeamAnswer,
    TeamCreated,
    TeamCredits,
    TeamList,
    TeamStatus,
    TeamStatusAnswer,
    TeamSummary,
    UpdateTeam,
    UsageSummary,
)
from tollgate.tenants import member_defaults, model_access, moving, new_teams, shares, spending
from tollgate.tenants.model_access import Access
from tollgate.tenants.paying import paying
from tollgate.usage import repository as usage

# What a field that is sent as null goes back to.
_DEFAULTS: dict[str, Any] = {
    "budget_mode": BudgetMode.JOB_BASED,
    "cost_markup_percentage": Decimal(0),
    "charge_failed_jobs": False,
    "tags": [],
    "account_shards": 1,
    "blocked": False,
    "default_member_models": [],
}
# What of a change is not an attribute by itself.
_APART = {*LIMIT_FIELDS, "access_groups", "model_groups", "model_access", "member_limits"}
_OF_MEMBERS = {"team_member_permissions", "member_limits", "member_key_duration", "default_member_models"}
_ADMINISTERED = {"team_alias", "metadata", *_OF_MEMBERS}
_VERBS = {TeamStatus.ACTIVE: "resumed", TeamStatus.SUSPENDED: "suspended", TeamStatus.PAUSED: "paused"}
# The organization filter of those that have none.
NO_ORGANIZATION = "none"


@dataclass(frozen=True, slots=True)
class TeamService:
    """What can be done with teams; every method checks the caller's right over the very team."""

    clock: Clock = utc_now

    def create(self, caller: Principal, request: NewTeam) -> TeamCreated:
        """A new, active team with its account and its primary key, which is shown here and never again.

        Raises as ``new_teams.made`` does.
        """
        made = new_teams.made(caller, request, self.clock)
        credit = Decimal(request.credits_allocated)
        account = Account(allocated=credit, available=credit)
        return TeamCreated.model_validate(
            _settings_of(made.team, account, virtual_key=made.secret)
            | {
                "allowed_models": model_access.allowed(made.team),
                "message": f"Team '{request.team_id}' has been created",
            }
        )

    def list(
        self,
        caller: Principal,
        request: PageRequest,
        organization_id: str | None = None,
        text: str | None = None,
        status: TeamStatus | None = None,
    ) -> TeamList:
        """Teams, newest first: all, an organization's, or (``none``) those without one; ``text`` is in id or alias."""
        if organization_id is None or organization_id == NO_ORGANIZATION:
            authorize(caller, Action.TEAM_LIST)
        if organization_id is None:
            page = repository.search(request, text, status)
        else:
            uid = None
            if organization_id != NO_ORGANIZATION:
                uid = organization_access.reachable(caller, organization_id, Action.TEAM_LIST).uid
            page = repository.search_organization(uid, request, text, status)
        accounts = credits.find_all({team.uid: team.account_items for team in page.entries})
        return TeamList(
            teams=[TeamSummary.model_validate(_settings_of(team, accounts[team.uid])) for team in page.entries],
            next_cursor=page.next_cursor,
            truncated=page.truncated,
        )

    def of_organization(
        self, caller: Principal, organization_id: str, request: PageRequest
    ) -> tuple[Organization, Page[Team]]:
        """An organization and a page of its teams, newest first."""
        organization = organization_access.reachable(caller, organization_id, Action.TEAM_LIST)
        return organization, repository.search_organization(organization.uid, request)

    def details(self, caller: Principal, team_id: str) -> TeamAnswer:
        """The team with its account, its metadata and what it has used since it exists."""
        return self._answer(reachable(caller, team_id, Action.TEAM_READ))

    def update(self, caller: Principal, team_id: str, request: UpdateTeam) -> TeamAnswer:
        """Changes the fields that were sent; the model access of the very next call follows."""
        self.change(caller, team_id, request)
        return self._answer(reachable(caller, team_id, Action.TEAM_UPDATE))

    def change(
        self,
        caller: Principal,
        team_id: str,
        request: UpdateTeam,
        access: model_access.Change | None = None,
        to: moving.Place | None = None,
    ) -> None:
        """The same without an answer; ``access`` instead of the request's fields says which models it may use.

        ``to`` is where it goes in the same transaction (Q-46).
        """
        model_access.check_default(request.default_model)
        change = access or partial(model_access.wanted, request)
        retried(lambda: self._update(caller, team_id, request, change, to))
        if to is not None:
            retried(lambda: moving.follow(caller, team_id, self.clock()))

    def set_model_groups(self, caller: Principal, team_id: str, request: SetModelGroups) -> ModelGroupsAssigned:
        """Replaces everything that its calls may use, from the very next one on."""
        self.change(caller, team_id, UpdateTeam(model_groups=request.model_groups))
        groups = list(reachable(caller, team_id, Action.TEAM_UPDATE).model_groups)
        return ModelGroupsAssigned(team_id=team_id, model_groups=groups, message="Model groups assigned successfully")

    def _update(
        self,
        caller: Principal,
        team_id: str,
        request: UpdateTeam,
        change: model_access.Change,
        to: moving.Place | None,
    ) -> None:
        team = reachable(caller, team_id, action_of(request))
        now = self.clock()
        sent = request.model_dump(exclude_unset=True, exclude=_APART)
        changes: dict[str, Any] = {
            name: _DEFAULTS.get(name) if value is None else value
            for name, value in sent.items()
            if name not in TeamAccountFields.model_fields
        }
        if any(getattr(team, name) != changes[name] for name in new_teams.PRICING & changes.keys()):
            authorize(caller, Action.CREDITS_CONFIGURE, Owner(team.organization_id, team.team_id))
        held, access = Access.of(team), change(Access.of(team))
        named = access.changes(held)
        changes |= named
        metadata = (changes.pop("metadata") or {}) if "metadata" in sent else None
        permission = new_teams.permission_of(request, team)
        if permission is not None:
            del changes["object_permission"]
            changes["object_permission_id"] = (team.object_permission_id or ids.new_ulid()) if permission else None
        before = {name: getattr(team, name) for name in changes}
        paid = paying(caller, request, team, now)
        if paid != team:
            changes |= repository.account_changes(paid)
            before |= {name: getattr(team.account, name) for name in sent if name in ACCOUNT_FIELDS}
        limited = request.limits_sent()
        limits = changed(team.limits, limited, now)
        changes |= {"limits": limits} if limited else {}
        before |= described(team.limits, limited)
        work = Work()
        budget_id = member_defaults.applied(work, caller, team, request, now)
        if budget_id != team.member_budget_id:
            changes["member_budget_id"] = budget_id
        if "account_shards" in changes:
            authorize(caller, Action.CREDITS_CONFIGURE, Owner(team.organization_id, team.team_id))
            changes["account_items"] = max(team.account_items, changes["account_shards"])
        if changes.get("account_items", 1) > team.account_items:
            limit_repository.add_shards(work, spending.team_spender(team).owner, changes["account_items"])
        if "allocated_budget" in sent and request.allocated_budget != team.allocated_budget:
            _allocate(work, team, request.allocated_budget, now)
        after = sent | named | described(limits, limited)
        if to is not None and to.uid != team.organization_uid:
            changes |= moving.joined(work, caller, team, to, now)
            before |= {"organization_id": team.organization_id}
            after |= {"organization_id": to.organization_id}
        event = event_of(caller, team, "updated", now, before=before, after=after)
        repository.update(work, team, changes, metadata, event, permission)
        model_access.relink(work, team_id, held, access)
        audit.append(work, event)
        work.commit()

    def set_status(
        self, caller: Principal, team_id: str, status: TeamStatus, reason: str | None = None
    ) -> TeamStatusAnswer:
        """Suspends, pauses or resumes; it counts on the very next call. A team that is so already stays as it is.

        A suspended team is not paused (WrongStateError): that would weaken what only a resume may end. Resuming never
        unblocks (Q-11).
        """
        retried(lambda: self._set_status(caller, team_id, status, reason))
        message = f"Team '{team_id}' has been {_VERBS[status]}"
        return TeamStatusAnswer(team_id=team_id, status=status, message=message)

    def _set_status(self, caller: Principal, team_id: str, status: TeamStatus, reason: str | None) -> None:
        team = reachable(caller, team_id, Action.TEAM_SET_STATUS)
        if team.status is status:
            return
        if status is TeamStatus.PAUSED and team.status is TeamStatus.SUSPENDED:
            raise WrongStateError(f"Team '{team_id}' is suspended")
        changes = {"status": status.value, "status_reason": None if status is TeamStatus.ACTIVE else reason}
        before = {"status": team.status.value, "status_reason": team.status_reason}
        after = changes | {"status_reason": reason}
        event = event_of(caller, team, _VERBS[status], self.clock(), before=before, after=after)
        work = Work()
        repository.update(work, team, changes, None, event)
        active = (status is TeamStatus.ACTIVE) - (team.status is TeamStatus.ACTIVE)
        if active:
            organizations.count_teams(work, team.organization_id, team.organization_uid, active=active)
        audit.append(work, event)
        work.commit()

    def rotate_key(self, caller: Principal, team_id: str) -> KeyRotated:
        """A new primary key, shown once; the old one is dead at once (D-3), further keys stay."""
        return retried(lambda: self._rotate_key(caller, team_id))

    def _rotate_key(self, caller: Principal, team_id: str) -> KeyRotated:
        team = reachable(caller, team_id, Action.TEAM_UPDATE)
        now = self.clock()
        secret, key = new_key(team, now)
        changes = {"key_id": key.key_id, "key_mask": key.mask}
        before = {"key_id": team.key_id, "key_mask": team.key_mask}
        event = event_of(caller, team, "key_rotated", now, before=before, after=changes)
        work = Work()
        repository.update(work, team, changes, None, event)
        keys.create(work, key, caller.actor)
        old = keys.find(team.key_id) if team.key_id is not None else None
        if old is not None and old.status is KeyStatus.ACTIVE:
            keys.revoke(work, old, now, caller.actor)
        audit.append(work, event)
        work.commit()
        return KeyRotated(team_id=team_id, virtual_key=secret, key_id=key.key_id)

    def _answer(self, team: Team) -> TeamAnswer:
        account = credits.find(team.uid, team.account_items)
        return TeamAnswer.model_validate(
            _settings_of(team, account)
            | spending.of_team(team, self.clock()).model_dump()
            | {
                "allowed_models": model_access.allowed(team),
                "credits": _credits_of(team, account),
                "credits_used": account.used,
                "credits_reserved": account.held,
                "key_id": team.key_id,
                "status_reason": team.status_reason,
                "metadata": repository.metadata_of(team.team_id),
                "account_shards": team.account_shards,
                "usage_summary": UsageSummary(
                    total_jobs=usage.jobs_of_owners([team.uid]), total_cost_usd=account.cost_usd
                ),
                "first_call_at": team.first_call_at,
                "updated_at": team.updated_at,
            }
        )


def action_of(request: UpdateTeam) -> Action:
    """Who has to be asked: name, metadata and what members get are the team's own admins' to say, too (section 6)."""
    return Action.TEAM_ADMINISTER if request.model_fields_set <= _ADMINISTERED else Action.TEAM_UPDATE


def _allocate(work: Work, team: Team, share: Decimal | None, now: datetime) -> None:
    """Another share of the organization's budget, or with None none any more (Q-51)."""
    organization = organizations.find(team.organization_id) if team.organization_id is not None else None
    if organization is None:
        raise WrongStateError("The team has no organization to allocate from", code="nothing_to_allocate")
    organizations.set_share(work, shares.changed(work, organization, team, share, now))


def _settings_of(team: Team, account: Account, virtual_key: str | None = None) -> dict[str, object]:
    """The fields that every answer about a team has, by name; the key is masked unless ``virtual_key`` gives it."""
    return {
        **settings_of(team.limits),
        "team_id": team.team_id,
        "organization_id": team.organization_id,
        "team_alias": team.team_alias,
        "virtual_key": virtual_key or team.key_mask,
        "credits_allocated": account.allocated,
        "credits_remaining": account.remaining,
        "status": team.status,
        "model_access": team.model_access,
        "access_groups": list(team.access_groups),
        "model_groups": list(team.model_groups),
        "default_model": team.default_model,
        "budget_mode": team.budget_mode,
        "credits_per_dollar": team.rate_usd,
        "tokens_per_credit": team.tokens_per_credit or DEFAULT_TOKENS_PER_CREDIT,
        "cost_markup_percentage": team.cost_markup_percentage,
        "credit_price_usd": team.price_usd,
        "charge_failed_jobs": team.charge_failed_jobs,
        "credits_source": team.credits_source,
        "tags": list(team.tags),
        "allocated_budget": team.allocated_budget,
        "blocked": team.blocked,
        "team_member_permissions": team.team_member_permissions,
        "object_permission_id": team.object_permission_id,
        "member_budget_id": team.member_budget_id,
        "member_key_duration": team.member_key_duration,
        "default_member_models": list(team.default_member_models),
        "model_aliases": dict(team.model_aliases),
        "created_at": team.created_at,
    }


def _credits_of(team: Team, account: Account) -> TeamCredits:
    return TeamCredits(
        team_id=team.team_id,
        organization_id=team.organization_id,
        credits_allocated=account.allocated,
        credits_used=account.used,
        credits_remaining=account.remaining,
        virtual_key=team.key_mask,
    )


@cache
def team_service() -> TeamService:
    return TeamService()
