"""The policy: every role, every action, every scope."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tests.support.permissions import EXPECTED, LETTERS
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
    if role is Role.MEMBER:
        return Principal("a", ActorKind.USER, user_id="a")
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
    elif role in {*PLATFORM_ROLES, Role.MEMBER}:
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


def test_every_action_is_expected() -> None:
    assert set(EXPECTED) == {action.value for action in Action}


@pytest.mark.parametrize("action", Action, ids=str)
def test_the_table_is_what_was_meant(action: Action) -> None:
    granted = "".join(letter if role in GRANTS[action] else "." for role, letter in LETTERS.items())
    assert granted == EXPECTED[action].replace(" ", "")


def test_a_viewer_writes_nothing() -> None:
    """But his own password and session."""
    seen = {action.value for action, roles in GRANTS.items() if Role.PLATFORM_VIEWER in roles}
    assert {name for name in seen if name.rpartition(".")[2].split("_")[0] not in {"read", "list"}} == {"account.own"}


def test_who_manages_the_platform_has_every_right_of_a_membership() -> None:
    """So nobody looks for the memberships of owners and admins. Jobs are the keys' (Q-09)."""
    everywhere = {Role.PLATFORM_OWNER, Role.PLATFORM_ADMIN}
    assert {action for action, roles in GRANTS.items() if roles - everywhere and not everywhere <= roles} == {
        Action.JOB_WRITE
    }


def test_a_session_does_not_do_what_keys_are_for() -> None:
    for who in (Role.PLATFORM_OWNER, Role.TEAM_MEMBER):
        admit(caller(who), Action.JOB_WRITE)
        logged_in = replace(caller(who), user_id="ana", session_id="0" * 64)
        admit(logged_in, Action.JOB_READ)
        with pytest.raises(ForbiddenError, match="may not use this endpoint"):
            admit(logged_in, Action.JOB_WRITE)
        with pytest.raises(ForbiddenError):
            authorize(logged_in, Action.JOB_WRITE, OWN)
    # A key of the same user does.
    authorize(replace(caller(Role.TEAM_KEY), user_id="ana", key_id="k"), Action.JOB_WRITE, OWN)


def test_what_is_said_of_ones_own_organization() -> None:
    """A user has several; in each of them he is told 403, whatever he may in the others."""
    both = Principal(
        "ana",
        ActorKind.USER,
        user_id="ana",
        organization_roles=(("org_acme", Role.ORG_ADMIN), ("org_other", Role.ORG_VIEWER)),
    )
    authorize(both, Action.TEAM_READ, OWN)
    with pytest.raises(ForbiddenError, match="You may not do this in organization 'org_other'"):
        authorize(both, Action.TEAM_READ, FOREIGN)
    with pytest.raises(NotFoundError):
        authorize(both, Action.TEAM_READ, Owner("org_third", "team"))
    own_key = Principal(
        "acme-dev", ActorKind.TEAM, team_roles=(("acme-dev", Role.TEAM_KEY),), organization_id="org_acme"
    )
    with pytest.raises(ForbiddenError, match="API key does not belong to team 'acme-prod'"):
        authorize(own_key, Action.TEAM_READ, SISTER)


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
