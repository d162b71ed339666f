"""Who may do what: the one table of action × role, and the one function that applies it.

Scope follows from the role: a platform role counts everywhere, an organization role in its organization, a team role
in its team. A resource that the caller has no role over does not exist for him (404, Q-01, Q-10) unless it belongs to
his own organization or the route is for admins only (403). ``docs/permissions.md`` shows this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tollgate.auth.principal import Principal, Role
from tollgate.core.errors import ForbiddenError, NotFoundError


class Action(StrEnum):
    """What a request does. The part before the dot is the resource."""

    ORGANIZATION_CREATE = "organization.create"
    ORGANIZATION_LIST = "organization.list"
    ORGANIZATION_READ = "organization.read"
    ORGANIZATION_UPDATE = "organization.update"
    ORGANIZATION_DELETE = "organization.delete"
    ORGANIZATION_SET_STATUS = "organization.set_status"
    ORGANIZATION_DELETE_MANY = "organization.delete_many"
    ORGANIZATION_READ_OWN = "organization.read_own"
    TEAM_CREATE = "team.create"
    TEAM_LIST = "team.list"
    TEAM_READ = "team.read"
    TEAM_READ_OWN = "team.read_own"
    TEAM_UPDATE = "team.update"
    TEAM_ADMINISTER = "team.administer"
    TEAM_DELETE = "team.delete"
    TEAM_SET_STATUS = "team.set_status"
    KEY_ISSUE = "key.issue"
    KEY_LIST = "key.list"
    KEY_REVOKE = "key.revoke"
    KEY_READ = "key.read"
    KEY_READ_OWN = "key.read_own"
    KEY_MAKE_OWN = "key.make_own"
    KEY_BULK = "key.bulk"
    CREDITS_ADD = "credits.add"
    CREDITS_READ = "credits.read"
    CREDITS_READ_PLATFORM = "credits.read_platform"
    CREDITS_TRANSFER = "credits.transfer"
    CREDITS_RECLAIM = "credits.reclaim"
    CREDITS_REFUND = "credits.refund"
    CREDITS_ADJUST = "credits.adjust"
    CREDITS_CONFIGURE = "credits.configure"
    MODEL_READ = "model.read"
    MODEL_READ_OWN = "model.read_own"
    MODEL_WRITE = "model.write"
    HEALTH_READ = "health.read"
    HEALTH_CHECK = "health.check"
    CREDENTIAL_READ = "credential.read"
    CREDENTIAL_WRITE = "credential.write"
    AUDIT_READ = "audit.read"
    ARCHIVE_READ = "archive.read"
    ALERT_READ = "alert.read"
    ALERT_WRITE = "alert.write"
    ALERT_TOPIC = "alert.topic"
    WEBHOOK_READ = "webhook.read"
    WEBHOOK_WRITE = "webhook.write"
    KEY_UPDATE = "key.update"
    ORGANIZATION_LIMIT = "organization.limit"
    BUDGET_LIST = "budget.list"
    BUDGET_READ = "budget.read"
    BUDGET_WRITE = "budget.write"
    BUDGET_ADJUST = "budget.adjust"
    BUDGET_RESET = "budget.reset"
    BUDGET_SHARE = "budget.share"
    CUSTOMER_READ = "customer.read"
    CUSTOMER_WRITE = "customer.write"
    USER_READ = "user.read"
    USER_WRITE = "user.write"
    USER_PROMOTE = "user.promote"
    USER_LIST = "user.list"
    USER_MANAGE = "user.manage"
    USER_READ_OWN = "user.read_own"
    MEMBER_READ = "member.read"
    MEMBER_WRITE = "member.write"
    MEMBER_OWN = "member.own"
    ACCOUNT_OWN = "account.own"
    JOB_READ = "job.read"
    JOB_WRITE = "job.write"
    USAGE_READ = "usage.read"
    USAGE_READ_OWN = "usage.read_own"
    USAGE_READ_ORGANIZATION = "usage.read_organization"
    USAGE_READ_PLATFORM = "usage.read_platform"
    COSTS_READ = "costs.read"


_OWNERS = {Role.PLATFORM_OWNER, Role.PLATFORM_ADMIN}
_READERS = _OWNERS | {Role.PLATFORM_VIEWER}
_ORG_ADMINS = {Role.ORG_OWNER, Role.ORG_ADMIN}
_TEAM_READERS = {Role.TEAM_ADMIN, Role.TEAM_MEMBER, Role.TEAM_KEY}

GRANTS: Mapping[Action, frozenset[Role]] = {
    action: frozenset(roles)
    for action, roles in {
        Action.ORGANIZATION_CREATE: _OWNERS,
        Action.ORGANIZATION_LIST: _READERS,
        Action.ORGANIZATION_READ: _READERS | _ORG_ADMINS,
        Action.ORGANIZATION_UPDATE: _OWNERS | _ORG_ADMINS,
        Action.ORGANIZATION_DELETE: _OWNERS | {Role.ORG_OWNER},
        Action.ORGANIZATION_SET_STATUS: _OWNERS,
        # Together with teams that are active: no customer does that by himself.
        Action.ORGANIZATION_DELETE_MANY: _OWNERS,
        # As LiteLLM's clients see it: every member may.
        Action.ORGANIZATION_READ_OWN: _READERS | _ORG_ADMINS | {Role.ORG_DEVELOPER, Role.ORG_VIEWER},
        Action.TEAM_CREATE: _OWNERS | _ORG_ADMINS,
        Action.TEAM_LIST: _READERS | _ORG_ADMINS,
        Action.TEAM_READ: _READERS | _ORG_ADMINS | _TEAM_READERS,
        # LiteLLM's clients ask for any: whose team it is decides.
        Action.TEAM_READ_OWN: _READERS | _ORG_ADMINS | _TEAM_READERS | {Role.MEMBER},
        Action.TEAM_UPDATE: _OWNERS | _ORG_ADMINS,
        # What its own admins say of it: its name, and what its members get. Neither its limits nor its models.
        Action.TEAM_ADMINISTER: _OWNERS | _ORG_ADMINS | {Role.TEAM_ADMIN},
        Action.TEAM_DELETE: _OWNERS | _ORG_ADMINS,
        Action.TEAM_SET_STATUS: _OWNERS | _ORG_ADMINS,
        Action.KEY_ISSUE: _OWNERS | _ORG_ADMINS | {Role.TEAM_ADMIN},
        Action.KEY_LIST: _READERS | _ORG_ADMINS | {Role.TEAM_ADMIN},
        Action.KEY_REVOKE: _OWNERS | _ORG_ADMINS | {Role.TEAM_ADMIN},
        # What a team's members see of its keys.
        Action.KEY_READ: _READERS | _ORG_ADMINS | {Role.TEAM_ADMIN, Role.TEAM_MEMBER},
        # Whoever comes with a key sees that one; users see, make and change their own.
        Action.KEY_READ_OWN: _READERS | _ORG_ADMINS | _TEAM_READERS | {Role.MEMBER},
        # Many keys at once, whoever has them.
        Action.KEY_BULK: _OWNERS,
        Action.KEY_MAKE_OWN: _OWNERS | _ORG_ADMINS | {Role.TEAM_ADMIN, Role.TEAM_MEMBER, Role.MEMBER},
        Action.CREDITS_ADD: _OWNERS,
        Action.CREDITS_READ: _READERS | _ORG_ADMINS | _TEAM_READERS,
        Action.CREDITS_READ_PLATFORM: _READERS,
        # Down to a team; back up is reclaiming.
        Action.CREDITS_TRANSFER: _OWNERS | _ORG_ADMINS,
        Action.CREDITS_RECLAIM: _OWNERS,
        Action.CREDITS_REFUND: _OWNERS,
        Action.CREDITS_ADJUST: _OWNERS,
        Action.CREDITS_CONFIGURE: _OWNERS,
        Action.MODEL_READ: _READERS,
        # What one's own calls may use, in one's own words for it.
        Action.MODEL_READ_OWN: _READERS
        | _ORG_ADMINS
        | _TEAM_READERS
        | {Role.ORG_DEVELOPER, Role.ORG_VIEWER, Role.MEMBER},
        Action.MODEL_WRITE: _OWNERS,
        Action.HEALTH_READ: _READERS,
        # It sends something to providers, or to whoever hears of alerts.
        Action.HEALTH_CHECK: _OWNERS,
        Action.CREDENTIAL_READ: _READERS | _ORG_ADMINS,
        Action.CREDENTIAL_WRITE: _OWNERS | _ORG_ADMINS,
        Action.AUDIT_READ: _READERS,
        # What is no more belongs to nobody but the platform.
        Action.ARCHIVE_READ: _READERS,
        Action.ALERT_READ: _READERS | _ORG_ADMINS,
        Action.ALERT_WRITE: _OWNERS | _ORG_ADMINS,
        Action.ALERT_TOPIC: _OWNERS,
        Action.WEBHOOK_READ: _READERS | _ORG_ADMINS | {Role.TEAM_ADMIN},
        Action.WEBHOOK_WRITE: _OWNERS | _ORG_ADMINS | {Role.TEAM_ADMIN},
        Action.KEY_UPDATE: _OWNERS | _ORG_ADMINS | {Role.TEAM_ADMIN},
        # What an organization itself is limited by is not its own business.
        Action.ORGANIZATION_LIMIT: _OWNERS,
        Action.BUDGET_LIST: _READERS,
        Action.BUDGET_READ: _READERS | _ORG_ADMINS | _TEAM_READERS,
        Action.BUDGET_WRITE: _OWNERS | _ORG_ADMINS,
        Action.BUDGET_ADJUST: _OWNERS,
        # Everybody's at once: with the master key only.
        Action.BUDGET_RESET: {Role.PLATFORM_OWNER},
        # Rows that several entities have their limits from: nobody's own.
        Action.BUDGET_SHARE: _OWNERS,
        # Customers may be anybody's: they are the platform's business.
        Action.CUSTOMER_READ: _READERS,
        Action.CUSTOMER_WRITE: _OWNERS,
        Action.USER_READ: _READERS,
        Action.USER_WRITE: _OWNERS,
        # Users who manage the platform.
        Action.USER_PROMOTE: {Role.PLATFORM_OWNER},
        # Of whoever is in one's organizations, and in no others.
        Action.USER_LIST: _READERS | _ORG_ADMINS,
        Action.USER_MANAGE: _OWNERS | _ORG_ADMINS,
        # Oneself, at least.
        Action.USER_READ_OWN: _READERS | _ORG_ADMINS | _TEAM_READERS | {Role.MEMBER},
        # One's own account: who one is, one's password and session.
        Action.ACCOUNT_OWN: _READERS | {Role.MEMBER},
        Action.MEMBER_READ: _READERS | _ORG_ADMINS | {Role.TEAM_ADMIN},
        Action.MEMBER_WRITE: _OWNERS | _ORG_ADMINS | {Role.TEAM_ADMIN},
        # Members who own the organization: its admins may not touch them.
        Action.MEMBER_OWN: _OWNERS | {Role.ORG_OWNER},
        Action.JOB_READ: _READERS | _ORG_ADMINS | _TEAM_READERS,
        # Whoever makes calls runs jobs: keys, and the master key.
        Action.JOB_WRITE: {Role.PLATFORM_OWNER} | _TEAM_READERS,
        Action.USAGE_READ: _READERS | _ORG_ADMINS | _TEAM_READERS,
        # What was called in one's own name; of teams and organizations whoever has a role there sees more.
        Action.USAGE_READ_OWN: _READERS | {Role.MEMBER},
        Action.USAGE_READ_ORGANIZATION: _READERS | _ORG_ADMINS,
        # Of everybody, and of users, customers and tags, who may be in several organizations.
        Action.USAGE_READ_PLATFORM: _READERS,
        # What providers are paid, and what is earned by it.
        Action.COSTS_READ: _READERS,
    }.items()
}


# What keys are for, and the master key: people who are logged in only look on.
NOT_BY_SESSION = frozenset({Action.JOB_WRITE})


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a resource is: the isolation check looks at nothing else. Both None: the platform's."""

    organization_id: str | None = None
    team_id: str | None = None


PLATFORM = Owner()


def authorize(caller: Principal, action: Action, owner: Owner = PLATFORM, *, missing: str = "Not found") -> None:
    """Returns if ``caller`` may do ``action`` on something of ``owner``.

    Raises:
        ForbiddenError: the caller's role does not allow the action anywhere, or the resource is in his own
            organization and he has no right over it.
        NotFoundError: the resource is another tenant's; the text is ``missing``, the same as for an unknown id.
    """
    admit(caller, action)
    if has_role(caller, action, owner):
        return
    if owner.organization_id is not None and caller.belongs_to(owner.organization_id):
        raise ForbiddenError(_not_there(caller, owner))
    raise NotFoundError(missing)


def has_role(caller: Principal, action: Action, owner: Owner) -> bool:
    """Whether a role of the caller allows ``action`` on something of ``owner``."""
    return bool(caller.roles_for(owner.organization_id, owner.team_id) & GRANTS[action])


def admit(caller: Principal, action: Action) -> None:
    """The check that needs no resource: may this caller do ``action`` anywhere at all? Else ForbiddenError."""
    by_session = caller.session_id is not None
    if not caller.roles_anywhere() & GRANTS[action] or (by_session and action in NOT_BY_SESSION):
        raise ForbiddenError("This credential may not use this endpoint")


def _not_there(caller: Principal, owner: Owner) -> str:
    """What a caller is told about a resource of his own organization that he has no right over."""
    if caller.user_id is None and owner.team_id is not None:
        return f"API key does not belong to team '{owner.team_id}'"
    return f"You may not do this in organization '{owner.organization_id}'"
