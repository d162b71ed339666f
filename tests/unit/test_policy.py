"""The policy: every role, every action, every scope."""

from __future__ import annotations

import itertools

import pytest

from tollgate.auth.policy import GRANTS, PLATFORM, Action, Owner, admit, authorize
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import ForbiddenError, NotFoundError

PLATFORM_ROLES = (Role.PLATFORM_OWNER, Role.PLATFORM_ADMIN, Role.PLATFORM_VIEWER)
OWN = Owner("org_acme", "acme-dev")
SISTER = Owner("org_acme", "acme-prod")
FOREIGN = Owner("org_other", "other-dev")
PAIRS = list(itertools.product(Role, Action))


def caller(role: Role) -> Principal:
    """Somebody with one role: on the platform, in org_acme, or in its team acme-dev."""
    if role in PLATFORM_ROLES:
        return Principal("a", ActorKind.USER, platform_role=role)
    if role.value.startswith("org_"):
        return Principal("a", ActorKind.USER, organization_roles=(("org_acme", role),), organization_id="org_acme")
    return Principal("a", ActorKind.TEAM, team_roles=(("acme-dev", role),), organization_id="org_acme")


def outcome(role: Role, action: Action, owner: Owner) -> str:
    try:
        authorize(caller(role), action, owner)
    except NotFoundError:
        return "missing"
    except ForbiddenError:
        return "forbidden"
    return "allowed"


def test_every_action_is_granted_to_somebody() -> None:
    assert set(GRANTS) == set(Action)
    assert all(Role.PLATFORM_OWNER in roles for roles in GRANTS.values())


@pytest.mark.parametrize(("role", "action"), PAIRS, ids=str)
def test_scope_follows_from_the_role(role: Role, action: Action) -> None:
    granted = role in GRANTS[action]
    answers = [outcome(role, action, owner) for owner in (OWN, SISTER, FOREIGN, PLATFORM)]
    if not granted:
        assert answers == ["forbidden"] * 4
    elif role in PLATFORM_ROLES:
        assert answers == ["allowed"] * 4
    elif role.value.startswith("org_"):
        assert answers == ["allowed", "allowed", "missing", "missing"]
    else:
        assert answers == ["allowed", "forbidden", "missing", "missing"]


@pytest.mark.parametrize(("role", "action"), PAIRS, ids=str)
def test_admission_without_a_resource(role: Role, action: Action) -> None:
    if role in GRANTS[action]:
        admit(caller(role), action)
    else:
        with pytest.raises(ForbiddenError, match="may not use this endpoint"):
            admit(caller(role), action)


READS = {
    Action.ORGANIZATION_LIST,
    Action.ORGANIZATION_READ,
    Action.TEAM_LIST,
    Action.TEAM_READ,
    Action.KEY_LIST,
    Action.CREDITS_READ,
    Action.MODEL_READ,
    Action.CREDENTIAL_READ,
    Action.AUDIT_READ,
    Action.ALERT_READ,
    Action.BUDGET_LIST,
    Action.BUDGET_READ,
    Action.USAGE_READ,
    Action.USAGE_READ_ORGANIZATION,
    Action.USAGE_READ_PLATFORM,
    Action.USER_READ,
    Action.MEMBER_READ,
}


def test_a_viewer_reads_everything_and_writes_nothing() -> None:
    assert {action for action, roles in GRANTS.items() if Role.PLATFORM_VIEWER in roles} == READS


def test_a_team_key_reads_its_team_and_its_credits() -> None:
    assert {action for action, roles in GRANTS.items() if Role.TEAM_KEY in roles} == {
        Action.TEAM_READ,
        Action.CREDITS_READ,
        Action.BUDGET_READ,
        Action.USAGE_READ,
    }


def test_an_organization_limits_what_is_in_it_but_not_itself() -> None:
    for role in (Role.ORG_OWNER, Role.ORG_ADMIN):
        assert outcome(role, Action.BUDGET_WRITE, OWN) == "allowed"
        assert outcome(role, Action.BUDGET_WRITE, FOREIGN) == "missing"
        assert outcome(role, Action.ORGANIZATION_LIMIT, Owner("org_acme")) == "forbidden"
        assert outcome(role, Action.BUDGET_ADJUST, OWN) == "forbidden"


def test_only_platform_roles_make_credits_and_suspend_organizations() -> None:
    makers = {Role.PLATFORM_OWNER, Role.PLATFORM_ADMIN}
    assert GRANTS[Action.CREDITS_ADD] == GRANTS[Action.ORGANIZATION_SET_STATUS] == makers
    for action in (Action.CREDITS_RECLAIM, Action.CREDITS_REFUND, Action.CREDITS_ADJUST, Action.CREDITS_CONFIGURE):
        assert GRANTS[action] == makers


def test_a_foreign_resource_is_missing_in_the_words_of_an_unknown_one() -> None:
    with pytest.raises(NotFoundError, match="Team 'other-dev' not found"):
        authorize(caller(Role.TEAM_KEY), Action.TEAM_READ, FOREIGN, missing="Team 'other-dev' not found")


def test_roles_add_up() -> None:
    both = Principal(
        "a",
        ActorKind.USER,
        platform_role=Role.PLATFORM_VIEWER,
        organization_roles=(("org_acme", Role.ORG_ADMIN),),
    )
    authorize(both, Action.TEAM_UPDATE, OWN)
    authorize(both, Action.TEAM_READ, FOREIGN)
    with pytest.raises(NotFoundError):
        authorize(both, Action.TEAM_UPDATE, FOREIGN)


def test_nothing_without_an_owner_matches_nobody() -> None:
    """A team without organization is not 'in' the organization of a caller that has none either."""
    loose = Principal("a", ActorKind.TEAM, team_roles=(("acme-dev", Role.TEAM_KEY),))
    with pytest.raises(NotFoundError):
        authorize(loose, Action.TEAM_READ, Owner(None, "other"))
    authorize(loose, Action.TEAM_READ, Owner(None, "acme-dev"))


def test_a_caller_without_a_role_may_nothing() -> None:
    with pytest.raises(ForbiddenError):
        admit(Principal("nobody", ActorKind.PLATFORM), Action.TEAM_READ)
