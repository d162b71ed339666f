"""Users and memberships, through their services: their endpoints come with another surface (Q-07, Q-08, Q-41)."""

from __future__ import annotations

import json

import pytest

from tests.support import build
from tests.support.api import call
from tests.support.budgets import NO_LIMITS
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import (
    AlreadyExistsError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    WrongStateError,
)
from tollgate.core.ids import member_id
from tollgate.core.pagination import PageRequest
from tollgate.limits.model import Scope
from tollgate.tenants.members import member_service
from tollgate.users import memberships
from tollgate.users import repository as users
from tollgate.users.model import AddMember, CreateUser, UpdateMember, parts_of
from tollgate.users.service import user_service

MASTER = build.owner()
ORGANIZATION, TEAM = Scope.ORGANIZATION_MEMBER, Scope.TEAM_MEMBER


@pytest.fixture(autouse=True)
def acme(empty_table: None, clock: FakeClock) -> None:
    build.organization("org_other")
    build.organization()
    build.team()


def org_role(role: Role, organization_id: str = "org_acme") -> Principal:
    return Principal(
        "bo", ActorKind.USER, organization_roles=((organization_id, role),), organization_id=organization_id
    )


def test_create_a_user() -> None:
    answer = build.user("ana", email="Ana@Example.COM", display_name="Ana", models=["fast"], max_budget=5)
    assert answer == NO_LIMITS | {
        "max_budget": 5,
        "user_id": "ana",
        "email": "ana@example.com",
        "display_name": "Ana",
        "role": "member",
        "is_active": True,
        "access_expires_at": None,
        "models": ["fast"],
        "sso_user_id": None,
        "allowed_model_region": None,
        "allowed_model_max_input_tokens": None,
        "allowed_model_max_output_tokens": None,
        "allowed_cache_controls": [],
        "object_permission_id": None,
        "metadata": {},
        "created_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z",
    }
    assert user_service().get(MASTER, "ana").model_dump(mode="json") == answer
    found = users.find_by_email("ANA@example.com")
    assert found is not None
    assert found.user_id == "ana"
    (event,) = [event for event in audit_events() if event["action"] == "user.created"]
    assert (event["resource_id"], json.loads(event["after"])["max_budget"]) == ("ana", 5)


def test_an_id_is_made_up() -> None:
    assert len(user_service().create(MASTER, CreateUser()).user_id) == 36


def test_ids_and_addresses_are_taken_once() -> None:
    build.user("ana", email="ana@example.com")
    before = all_items()
    with pytest.raises(AlreadyExistsError, match="User 'ana' already exists"):
        build.user("ana")
    with pytest.raises(AlreadyExistsError, match=r"User with email 'ana@example.com' already exists"):
        build.user("bob", email="ANA@example.com")
    assert all_items() == before


def test_only_the_owner_makes_users_who_manage_the_platform() -> None:
    admin = Principal("root", ActorKind.USER, platform_role=Role.PLATFORM_ADMIN)
    user_service().create(admin, CreateUser(user_id="viewer", role="platform_viewer"))
    for role in ("platform_owner", "platform_admin"):
        with pytest.raises(ForbiddenError):
            user_service().create(admin, CreateUser(user_id="x", role=role))
        user_service().create(MASTER, CreateUser(user_id=role, role=role))
    for caller in (org_role(Role.ORG_OWNER), Principal("x", ActorKind.TEAM, team_roles=(("acme-dev", Role.TEAM_KEY),))):
        with pytest.raises(ForbiddenError):
            user_service().create(caller, CreateUser(user_id="y"))
        with pytest.raises(ForbiddenError):
            user_service().list(caller, PageRequest())


def test_list_users(clock: FakeClock) -> None:
    for name in ("ana", "bob", "carl"):
        build.user(name, email=f"{name}@example.com")
        clock.advance(seconds=1)
    page = user_service().list(MASTER, PageRequest(limit=2))
    assert [user.user_id for user in page.entries] == ["carl", "bob"]
    rest = user_service().list(MASTER, PageRequest(limit=2, cursor=page.next_cursor))
    assert [user.user_id for user in rest.entries] == ["ana"]
    assert [user.user_id for user in user_service().list(MASTER, PageRequest(), "BOB@").entries] == ["bob"]


def test_members_come_change_and_go() -> None:
    build.user("ana")
    answer = build.member("team-member", "acme-dev", "ana", role="team_admin", rpm_limit=3)
    assert answer == NO_LIMITS | {
        "rpm_limit": 3,
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "user_id": "ana",
        "role": "team_admin",
        "created_at": "2026-03-01T12:00:00Z",
    }
    build.member("organization-member", "org_acme", "ana")
    service = member_service()
    changed = service.update(MASTER, TEAM, "acme-dev", "ana", UpdateMember(role="team_member", max_budget=2))
    assert (changed.role, changed.max_budget, changed.rpm_limit) == (Role.TEAM_MEMBER, 2, 3)
    of_ana = user_service().memberships(MASTER, "ana", PageRequest()).entries
    assert {(one.owner_id, one.role) for one in of_ana} == {
        ("acme-dev", Role.TEAM_MEMBER),
        ("org_acme", Role.ORG_DEVELOPER),
    }
    service.remove(MASTER, TEAM, "acme-dev", "ana")
    assert service.list(MASTER, TEAM, "acme-dev", PageRequest()).entries == []
    events = [event for event in audit_events() if event["resource_type"] == "member"]
    assert [event["action"] for event in events] == ["member.added", "member.added", "member.updated", "member.removed"]
    assert {event["organization_id"] for event in events} == {"org_acme"}


def test_what_cannot_be_a_member() -> None:
    build.user("ana")
    build.member("team-member", "acme-dev", "ana")
    before = all_items()
    service = member_service()
    with pytest.raises(AlreadyExistsError, match="User 'ana' is a member of 'acme-dev' already"):
        build.member("team-member", "acme-dev", "ana")
    with pytest.raises(InvalidRequestError, match="Unknown user 'bob'"):
        build.member("team-member", "acme-dev", "bob")
    with pytest.raises(InvalidRequestError, match="'org_admin' is no role of a team-member"):
        service.update(MASTER, TEAM, "acme-dev", "ana", UpdateMember(role="org_admin"))
    with pytest.raises(NotFoundError, match="User 'bob' is not a member of 'acme-dev'"):
        service.remove(MASTER, TEAM, "acme-dev", "bob")
    with pytest.raises(NotFoundError, match="Team 'no-team' not found"):
        build.member("team-member", "no-team", "ana")
    assert all_items() == before


def test_the_last_owner_stays() -> None:
    build.user("ana")
    build.member("organization-member", "org_acme", "ana", role="org_owner")
    service = member_service()
    before = all_items()
    with pytest.raises(WrongStateError, match="Organization 'org_acme' must keep an owner"):
        service.update(MASTER, ORGANIZATION, "org_acme", "ana", UpdateMember(role="org_admin"))
    with pytest.raises(WrongStateError, match="Organization 'org_acme' must keep an owner"):
        service.remove(MASTER, ORGANIZATION, "org_acme", "ana")
    assert all_items() == before
    build.user("carl")
    build.member("organization-member", "org_acme", "carl", role="org_owner")
    service.update(MASTER, ORGANIZATION, "org_acme", "ana", UpdateMember(role="org_admin"))


def test_admins_do_not_touch_owners_and_strangers_see_nothing() -> None:
    for name in ("ana", "bob"):
        build.user(name)
    build.member("organization-member", "org_acme", "ana", role="org_owner")
    service, admin = member_service(), org_role(Role.ORG_ADMIN)
    service.add(admin, ORGANIZATION, "org_acme", AddMember(user_id="bob"))
    for role in ("org_admin", "org_viewer"):
        service.update(admin, ORGANIZATION, "org_acme", "bob", UpdateMember(role=role))
    with pytest.raises(ForbiddenError):
        service.update(admin, ORGANIZATION, "org_acme", "bob", UpdateMember(role="org_owner"))
    with pytest.raises(ForbiddenError):
        service.remove(admin, ORGANIZATION, "org_acme", "ana")
    service.update(org_role(Role.ORG_OWNER), ORGANIZATION, "org_acme", "bob", UpdateMember(role="org_owner"))
    stranger = org_role(Role.ORG_OWNER, "org_other")
    for scope, owner_id in ((ORGANIZATION, "org_acme"), (TEAM, "acme-dev")):
        with pytest.raises(NotFoundError):
            service.list(stranger, scope, owner_id, PageRequest())
        with pytest.raises(NotFoundError):
            service.add(stranger, scope, owner_id, AddMember(user_id="ana"))


def test_memberships_go_with_their_team_and_organization() -> None:
    build.user("ana")
    build.member("team-member", "acme-dev", "ana", max_budget=1)
    build.member("organization-member", "org_acme", "ana", role="org_owner")
    call("POST", "/api/teams/acme-dev/suspend")
    assert call("DELETE", "/api/organizations/org_acme").status == 200
    assert [item for item in all_items() if item["kind"] in {"membership", "counter"}] == []
    user = users.find("ana")
    assert user is not None
    assert memberships.of_user(user.uid, PageRequest()).entries == []
    removed = [event["resource_id"] for event in audit_events() if event["action"] == "member.removed"]
    assert sorted(removed) == ["acme-dev~ana", "org_acme~ana"]


@pytest.mark.parametrize("parts", [("a", "b"), ("a~b", "c"), ("a", "b~c"), ("50%", "a/b#ä")])
def test_a_membership_has_one_id(parts: tuple[str, str]) -> None:
    assert parts_of(member_id(*parts)) == parts


def test_what_is_no_id_of_a_membership() -> None:
    assert [parts_of(text) for text in ("", "a", "a~b~c")] == [None] * 3
