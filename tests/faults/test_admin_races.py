"""Administrators who meet, on a real engine: services are called from threads that start together.

Nobody's change is lost, and whoever was not let through is told so.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.support import build
from tests.support.accounts import TEAM, figures, ledger, stored
from tests.support.items import all_items, audit_events, partition
from tests.support.races import PASSING, at_once, persistently
from tollgate.core.errors import AlreadyExistsError, TollgateError, WrongStateError
from tollgate.core.pagination import PageRequest
from tollgate.credentials.service import credential_service
from tollgate.credits.model import AddCredits
from tollgate.credits.service import credit_service
from tollgate.limits.fields import LimitFields
from tollgate.limits.model import Scope
from tollgate.models.groups import access_group_service
from tollgate.models.model import UpdateModelAlias
from tollgate.models.service import model_service
from tollgate.tenants.budgets import budget_service
from tollgate.tenants.members import member_service
from tollgate.users.model import AddMember, CreateUser, UpdateMember
from tollgate.users.service import user_service

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()


def refused(answers: list[Any]) -> list[TollgateError]:
    """The refusals, none of which is for another reason than that somebody else was quicker."""
    found = [answer for answer in answers if isinstance(answer, TollgateError)]
    assert all(isinstance(refusal, PASSING) for refusal in found), found
    return found


def catalogue_version() -> int:
    return next(int(item["number"]) for item in all_items() if item["kind"] == "catalogue_version")


def events(action: str) -> Counter[str]:
    """How often this happened, by resource."""
    return Counter(event["resource_id"] for event in audit_events() if event["action"] == action)


def test_of_many_activations_one_holds() -> None:
    made = [build.provider_credential(credential_name=f"c{number}")["credential_id"] for number in range(8)]
    service = credential_service()
    version = catalogue_version()

    answers = at_once(lambda credential_id: service.activate(ADMIN, credential_id), made)

    assert len(refused(answers)) < len(made)
    stored_ones = {item["credential_id"]: item for item in all_items() if item["kind"] == "provider_credential"}
    (active,) = [credential_id for credential_id, item in stored_ones.items() if item["is_active"]]
    (pointer,) = [item for item in partition("CREDENTIALS#platform") if item["SK"] == "ACTIVE#openai"]
    assert pointer["credential_id"] == active
    # The events tell the same: each credential began active, and the last word on each is what is stored.
    balance = Counter(made)
    balance.update(events("provider_credential.activated"))
    balance.subtract(events("provider_credential.deactivated"))
    assert balance == {credential_id: int(credential_id == active) for credential_id in made}
    assert catalogue_version() == version + events("provider_credential.activated").total()


def test_of_two_who_take_a_name_one_gets_it() -> None:
    def create(number: int) -> Any:
        return user_service().create(ADMIN, CreateUser(user_id=f"user-{number}", email="same@example.com"))

    answers = at_once(persistently(create), range(8))

    (winner,) = [answer for answer in answers if not isinstance(answer, TollgateError)]
    refusals = [answer for answer in answers if isinstance(answer, TollgateError)]
    assert [type(refusal) for refusal in refusals] == [AlreadyExistsError] * 7
    assert {refusal.message for refusal in refusals} == {"User with email 'same@example.com' already exists"}
    assert [item["user_id"] for item in all_items() if item["kind"] == "user"] == [winner.user_id]
    assert events("user.created") == {winner.user_id: 1}


def test_additions_to_an_access_group_all_count() -> None:
    build.access_group("basic")
    version = catalogue_version()
    entries = [f"model-{number}-*" for number in range(6)]
    service = access_group_service()

    def add(entry: str) -> Any:
        return service.add_models(ADMIN, "basic", [entry])

    answers = at_once(persistently(add), entries)

    assert refused(answers) == []
    assert sorted(entry.alias for entry in service.details(ADMIN, "basic").model_aliases) == entries
    # Each answer shows what was there at its moment: its own entry and those before it.
    assert sorted(len(answer.model_aliases) for answer in answers) == list(range(1, 7))
    assert catalogue_version() == version + 6
    assert events("access_group.updated") == {"basic": 6}


def test_updates_of_an_alias_all_count() -> None:
    build.alias("fast")
    changes: list[dict[str, Any]] = [
        {"description": "d"}, {"display_name": "n"}, {"max_output_tokens": 5}, {"context_window": 7},
    ]  # fmt: skip
    service = model_service()

    def update(change: dict[str, Any]) -> Any:
        return service.update(ADMIN, "fast", UpdateModelAlias.model_validate(change))

    answers = at_once(persistently(update), changes)

    assert refused(answers) == []
    shown = service.details(ADMIN, "fast").model_dump()
    assert {name: shown[name] for change in changes for name in change} == {
        name: value for change in changes for name, value in change.items()
    }
    assert catalogue_version() == 5
    assert events("model_alias.updated") == {"fast": 4}


def test_changes_of_one_budget_lose_nobody() -> None:
    """Of those who meet one wins and the others read again; whoever gives up is told so."""
    build.organization()
    build.team()
    fields = ["rpm_limit", "tpm_limit", "tpd_limit", "max_parallel_requests", "max_budget", "soft_budget"]
    service = budget_service()

    def put(name: str) -> Any:
        return service.put(ADMIN, "team", "acme-dev", LimitFields.model_validate({name: 5}))

    answers = at_once(put, fields)

    assert len(refused(answers)) < len(fields)
    done = {name for name, answer in zip(fields, answers, strict=True) if not isinstance(answer, TollgateError)}
    shown = service.get(ADMIN, "team", "acme-dev")
    assert {name: getattr(shown, name) for name in fields} == {name: 5 if name in done else None for name in fields}
    assert events("budget.updated") == {"team/acme-dev": len(done)}


def test_additions_of_members_lose_nobody() -> None:
    build.organization()
    names = [f"user-{number:02}" for number in range(12)]
    for name in names:
        build.user(name)
    owners = names[::2]
    service = member_service()

    def add(name: str) -> Any:
        role = "org_owner" if name in owners else None
        request = AddMember.model_validate({"user_id": name, "role": role})
        return service.add(ADMIN, Scope.ORGANIZATION_MEMBER, "org_acme", request)

    answers = at_once(persistently(add), names)

    assert refused(answers) == []
    members = service.list(ADMIN, Scope.ORGANIZATION_MEMBER, "org_acme", PageRequest()).entries
    assert {member.user_id: member.role for member in members} == {
        name: "org_owner" if name in owners else "org_developer" for name in names
    }
    (organization,) = [item for item in all_items() if item["kind"] == "organization"]
    assert organization["owner_count"] == len(owners)


@pytest.mark.parametrize("way", ["removed", "demoted"])
def test_the_last_owner_stays(way: str) -> None:
    build.organization()
    names = ["ana", "bob", "eve"]
    for name in names:
        build.user(name)
        build.member("organization-member", "org_acme", name, role="org_owner")
    service, scope = member_service(), Scope.ORGANIZATION_MEMBER

    def leave(name: str) -> Any:
        if way == "removed":
            return service.remove(ADMIN, scope, "org_acme", name)
        return service.update(ADMIN, scope, "org_acme", name, UpdateMember.model_validate({"role": "org_viewer"}))

    answers = at_once(persistently(leave), names)

    (refusal,) = [answer for answer in answers if isinstance(answer, TollgateError)]
    assert (type(refusal), refusal.message) == (WrongStateError, "Organization 'org_acme' must keep an owner")
    stayed = names[answers.index(refusal)]
    members = service.list(ADMIN, scope, "org_acme", PageRequest()).entries
    roles = {member.user_id: member.role for member in members}
    left = {} if way == "removed" else dict.fromkeys(names, "org_viewer")
    assert roles == left | {stayed: "org_owner"}
    (organization,) = [item for item in all_items() if item["kind"] == "organization"]
    assert organization["owner_count"] == 1


def test_grants_to_one_account_all_count() -> None:
    build.organization()
    build.team()
    request = AddCredits(team_id="acme-dev", amount=1)

    add = persistently(lambda _: credit_service().add(ADMIN, request))

    answers = at_once(lambda _: [add(turn) for turn in range(3)], range(4))

    assert refused(answers) == []
    assert figures(TEAM) == (12, 0, 12)
    assert [entry["credits_after"] for entry in ledger(TEAM)] == list(range(12, 0, -1))
    account = stored(TEAM)
    assert (account["sq"], account["av"], account["al"]) == (12, 12, 12)
