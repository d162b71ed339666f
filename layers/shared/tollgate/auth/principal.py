"""The caller, as the rest of the code sees it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The stored roles (decisions section 6)."""

    PLATFORM_OWNER = "platform_owner"
    PLATFORM_ADMIN = "platform_admin"
    PLATFORM_VIEWER = "platform_viewer"
    ORG_OWNER = "org_owner"
    ORG_ADMIN = "org_admin"
    ORG_DEVELOPER = "org_developer"
    ORG_VIEWER = "org_viewer"
    TEAM_ADMIN = "team_admin"
    TEAM_MEMBER = "team_member"
    TEAM_KEY = "team_key"
    # Any user, whatever else he is: he has an account of his own, and nothing more by that.
    MEMBER = "member"


class ActorKind(StrEnum):
    """Who an audit event names."""

    PLATFORM = "platform"
    USER = "user"
    TEAM = "team"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request without a credential came from, for the session and the audit event that it leads to."""

    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    Attributes:
        actor: id shown in audit events: ``default_user_id`` for the master key (Q-41), the user's id for his session
            and his keys, the team id for a team's key.
        kind: what the actor is.
        platform_role: role on the whole platform, if any.
        organization_roles: roles by organization id.
        team_roles: roles by team id.
        organization_id: the organization that a key belongs to.
        key_id: the key that was presented; None for the master key and for sessions.
        user_id: the user who calls, by a session or a key of his; None for the master key and a team's own keys.
        session_id: the session that he came with; None for every key.
        only_looks: the user is one who makes no keys (decisions, section 6): what he may is asked for with him.
        ip_address, request_id: where the request came from, for the audit event.
    """

    actor: str
    kind: ActorKind
    platform_role: Role | None = None
    organization_roles: tuple[tuple[str, Role], ...] = ()
    team_roles: tuple[tuple[str, Role], ...] = ()
    organization_id: str | None = None
    key_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    only_looks: bool = False
    ip_address: str | None = None
    request_id: str | None = None

    def roles_for(self, organization_id: str | None, team_id: str | None) -> set[Role]:
        """The union of the roles that this caller has over a resource of that organization and team."""
        roles = self._everywhere()
        roles |= {role for owner, role in self.organization_roles if owner == organization_id}
        roles |= {role for owner, role in self.team_roles if owner == team_id}
        return roles

    def roles_anywhere(self) -> set[Role]:
        """Every role that this caller has over something."""
        return self._everywhere() | {role for _, role in (*self.organization_roles, *self.team_roles)}

    def belongs_to(self, organization_id: str) -> bool:
        """Whether the organization is his own: his key's, or one that he has a role in."""
        return organization_id == self.organization_id or any(
            organization_id == owner for owner, _ in self.organization_roles
        )

    def _everywhere(self) -> set[Role]:
        roles = {self.platform_role} if self.platform_role else set()
        # Who only looks on changes nothing of his own either.
        return roles | ({Role.MEMBER} if self.user_id and self.platform_role is not Role.PLATFORM_VIEWER else set())
