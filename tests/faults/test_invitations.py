"""Invitations that meet, on a real engine: everybody becomes a member of each, and a user only once (contract 1.3)."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from tests.support import build
from tests.support.items import all_items, audit_events
from tests.support.races import at_once, persistently
from tollgate.core.errors import TollgateError
from tollgate.litellm import members
from tollgate.litellm.members import AddMembers, MembersAdded

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
ORGANIZATIONS = ("org_acme", "org_other", "org_third")


def invite(place: tuple[str, str]) -> MembersAdded:
    organization_id, user_id = place
    member = {"role": "internal_user", "user_id": user_id, "user_email": f"{user_id}@example.com"}
    return members.add(ADMIN, AddMembers.model_validate({"organization_id": organization_id, "member": member}))


def test_nobody_is_lost_and_nobody_made_twice() -> None:
    for organization_id in ORGANIZATIONS:
        build.organization(organization_id)
    names = [f"user-{number}" for number in range(8)]
    places = list(product(ORGANIZATIONS, names))

    answers = at_once(persistently(invite), places)

    # Who was told that the store did not answer, and asked again, may be a member by then.
    refused = [answer for answer in answers if isinstance(answer, TollgateError)]
    assert all("already a member" in refusal.message for refusal in refused)
    items = all_items()
    found = {(item["organization_id"], item["user_id"]) for item in items if item["kind"] == "membership"}
    assert found == set(places)
    assert Counter(item["user_id"] for item in items if item["kind"] == "user") == Counter(names)
    made = [event["resource_id"] for event in audit_events() if event["action"] == "user.created"]
    assert Counter(made) == Counter(names)


def test_of_the_same_invitation_one_counts() -> None:
    build.organization()

    answers = at_once(persistently(invite), [("org_acme", "ana")] * 8)

    refused = [answer for answer in answers if isinstance(answer, TollgateError)]
    assert len(refused) >= 7
    assert all("already a member" in refusal.message for refusal in refused)
    assert len([item for item in all_items() if item["kind"] == "membership"]) == 1
