"""The end of a large organization on a real engine, killed again and again: it ends complete (Q-21).

``OFFBOARDING_CALLS`` sets how many calls it has made; 10,000 unless told otherwise.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.support import build, calls
from tests.support.api import call, key
from tests.support.clock import FakeClock
from tests.support.items import audit_events, kinds_left, put_raw
from tests.support.races import at_once
from tollgate.aws.dynamodb import DynamoDB
from tollgate.core.pagination import PageRequest
from tollgate.deletions import repository as deletions
from tollgate.organizations import repository as organizations
from tollgate.table.transactions import Work
from tollgate.teams import repository as teams
from tollgate.teams.model import CreateTeam, TeamStatus
from tollgate.tenants.teams import team_service
from tollgate.tenants.teardown import Finished, Teardown

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

TEAMS = 200
CALLS = int(os.environ.get("OFFBOARDING_CALLS", "10000"))
KILLS = 12
ADMIN = build.owner()


class Killed(BaseException):
    """No handler of any error runs: the process is gone."""


@contextmanager
def killed_after(patch: pytest.MonkeyPatch, steps: int) -> Iterator[None]:
    """The process dies at its next transaction or batch after so many."""
    left = [steps]
    commit, ask = Work.commit, DynamoDB.call

    def step() -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1

    def dying(work: Work) -> None:
        step()
        commit(work)

    async def dying_call(db: DynamoDB, operation: str, payload: dict[str, Any], **how: Any) -> dict[str, Any]:
        if operation == "BatchWriteItem":
            step()
        return await ask(db, operation, payload, **how)

    with patch.context() as own:
        own.setattr(Work, "commit", dying)
        own.setattr(DynamoDB, "call", dying_call)
        yield


def large_organization(clock: FakeClock) -> list[str]:
    """``TEAMS`` suspended teams with keys and calls of several days; their keys."""
    build.organization()
    service = team_service()
    secrets = []
    for number in range(TEAMS):
        request = CreateTeam(organization_id="org_acme", team_id=f"acme-{number}", credits_allocated=5)
        secrets.append(service.create(ADMIN, request).virtual_key or "")
        service.set_status(ADMIN, request.team_id, TeamStatus.SUSPENDED)
    organization = organizations.find("org_acme")
    assert organization is not None
    made = []
    for number, team in enumerate(teams.all_of_organization(organization.uid)):
        whose = {"team_id": team.team_id, "team_uid": team.uid, "organization_id": "org_acme"}
        whose |= {"organization_uid": organization.uid, "customer_id": f"customer-{number % 7}"}
        made += [calls.record(clock.now + timedelta(hours=5 * (one % 9)), **whose) for one in range(CALLS // TEAMS)]
    put_raw(made)
    calls.counted(made[:: max(1, len(made) // 200)])
    return [secret for secret in secrets if secret]


# Whoever is killed closes no connection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whoever_is_killed_another_finishes(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    secrets = large_organization(clock)
    clock.advance(days=2)
    with monkeypatch.context() as patch:
        patch.setattr("tollgate.tenants.offboarding._SECONDS", 1.0)
        answer = call("DELETE", "/api/organizations/org_acme", query={"purge": "true"})
    assert (answer.status, answer.body["state"]) == (200, "running")
    worker = Teardown(clock)
    for _ in range(KILLS):
        clock.advance(seconds=301)
        with killed_after(monkeypatch, chance.randint(0, 120)), pytest.raises(Killed):
            worker.run_due(600)
    for _ in range(5):
        clock.advance(seconds=301)
        worker.run_due(600)

    assert kinds_left() <= {"audit_event", "transaction", "access_group", "usage_day"}
    told = Counter(event["action"] for event in audit_events())
    assert (told["organization.closed"], told["organization.deleted"]) == (1, 1)
    assert (told["team.closed"], told["team.deleted"], told["key.deleted"]) == (TEAMS, TEAMS, TEAMS)
    assert call("GET", "/api/organizations/org_acme").status == 404
    assert {call("GET", f"/api/teams/acme-{number}").status for number in range(0, TEAMS, 10)} == {404}
    assert {call("GET", "/api/teams/acme-0", caller=key(secret)).status for secret in secrets[::10]} == {401}
    for kind in ("organizations", "teams"):
        assert (
            call("GET", f"/api/{kind}").body[kind]
            == call("GET", f"/api/{kind}", query={"status": "deleted"}).body[kind]
            == []
        )


def test_workers_that_meet_do_nothing_twice(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    build.organization()
    for number in range(6):
        build.team(f"acme-{number}")
        build.issued_key(f"acme-{number}")
    with monkeypatch.context() as patch:
        patch.setattr("tollgate.tenants.offboarding._SECONDS", -1.0)
        for number in range(6):
            call("DELETE", f"/api/teams/acme-{number}", query={"force": "true"})

    done = at_once(lambda worker: worker.run_due(600), [Teardown(clock) for _ in range(4)])

    assert sum(one.finished for one in done if isinstance(one, Finished)) == 6
    told = Counter(event["action"] for event in audit_events())
    assert (told["team.closed"], told["team.deleted"], told["key.deleted"]) == (6, 6, 12)
    found = deletions.search(PageRequest(10), teams=True, text=None, organization_id=None).entries
    assert [(one.is_done, one.keys_deleted) for one in found] == [(True, 2)] * 6
