"""Webhooks: registered, told of jobs and teams by the table's stream, signed, tried again, kept from private places."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.support import build, receiver
from tests.support.api import call, problem
from tests.support.clock import FakeClock
from tests.support.items import all_items, audit_events, raw_items
from tests.support.receiver import Receiver
from tollgate.alerts import delivery
from tollgate.alerts.delivery import ATTEMPTS, BACKOFF_SECONDS
from tollgate.webhooks import watcher
from tollgate.webhooks.model import MAX_WEBHOOKS
from workers import deliver, notify

Item = dict[str, Any]
_numbers = count(1)


@pytest.fixture(autouse=True)
def workers(clock: FakeClock) -> Iterator[None]:
    """Both workers as they start cold, on the time of the test."""
    for factory in (watcher.event_watcher, delivery.deliverer):
        factory.cache_clear()
        factory().clock = clock
    yield
    for factory in (watcher.event_watcher, delivery.deliverer):
        factory.cache_clear()


@pytest.fixture(autouse=True)
def acme(empty_table: None, clock: FakeClock) -> None:
    build.organization()
    build.team()


@pytest.fixture
def inbox() -> Iterator[Receiver]:
    with receiver.running() as running:
        yield running


def record(new: Item, old: Item | None = None) -> Item:
    images = {"NewImage": new} | ({"OldImage": old} if old else {})
    stream = {"SequenceNumber": f"{next(_numbers):021d}", **images}
    return {"eventName": "MODIFY" if old else "INSERT", "dynamodb": stream}


def image(kind: str) -> Item:
    """The one item of a kind, as the stream shows it."""
    (item,) = [item for item in raw_items() if item["kind"]["S"] == kind]
    return item


def notified(*records: Item) -> None:
    assert notify.handler({"Records": list(records)}, None) == {"batchItemFailures": []}


def outbox() -> list[Item]:
    return [item for item in all_items() if item["kind"] == "event"]


def send_new() -> None:
    """The stream shows the events that were raised."""
    notified(*(record(item) for item in raw_items() if item["kind"]["S"] == "event"))


def job_image(status: str, **more: Item) -> Item:
    """A job's item in a status."""
    uid = image("team")["uid"]
    return {
        "PK": {"S": "JOB#j"},
        "SK": {"S": "#"},
        "kind": {"S": "job"},
        "job_id": {"S": "j"},
        "job_type": {"S": "summary"},
        "team_id": {"S": "acme-dev"},
        "team_uid": uid,
        "organization_id": {"S": "org_acme"},
        "organization_uid": image("organization")["uid"],
        "status": {"S": status},
        "created_at": {"S": "2026-03-01T12:00:00.000000Z"},
        "credit_applied": {"BOOL": True},
        "credits_charged": {"N": "1"},
        **more,
    }


STARTED = {"started_at": {"S": "2026-03-01T12:00:01.000000Z"}}
ENDED = STARTED | {
    "completed_at": {"S": "2026-03-01T12:00:03.500000Z"},
    "costs": {"M": {"total_calls": {"N": "2"}, "failed_calls": {"N": "0"}, "total_cost_usd": {"N": "0.25"}}},
}


def test_register_shows_the_secret_once() -> None:
    made = build.webhook(
        team_id="acme-dev", events=["job.failed", "job.completed", "job.failed"], auth_header="Basic x"
    )
    secret, webhook_id = made.pop("secret"), made["webhook_id"]
    assert secret.startswith("whsec_")
    assert made == {
        "webhook_id": webhook_id,
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "webhook_url": "https://hooks.example.com/events",
        "events": ["job.completed", "job.failed"],
        "has_auth_header": True,
        "is_active": True,
        "last_triggered_at": None,
        "created_at": "2026-03-01T12:00:00Z",
    }
    assert call("GET", "/api/webhooks", query={"team_id": "acme-dev"}).body == {"webhooks": [made], "next_cursor": None}
    assert call("GET", "/api/webhooks").body["webhooks"] == [made]
    assert call("GET", "/api/webhooks", query={"organization_id": "org_acme"}).body["webhooks"] == []
    stored = str([item for item in all_items() if item["kind"] != "idempotent"])
    assert secret not in stored
    assert "Basic x" not in stored
    assert audit_events()[-1]["action"] == "webhook.registered"


def test_delete() -> None:
    webhook_id = build.webhook(team_id="acme-dev")["webhook_id"]
    answer = call("DELETE", f"/api/webhooks/{webhook_id}")
    assert (answer.status, answer.body) == (200, {"webhook_id": webhook_id, "deleted": True})
    missing = problem(404, "not_found", f"Webhook '{webhook_id}' not found")
    assert call("DELETE", f"/api/webhooks/{webhook_id}").body == missing
    assert audit_events()[-1]["action"] == "webhook.deleted"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("webhook_url", "ftp://hooks.example.com"),
        ("webhook_url", "https://hooks.example.com/" + "x" * 500),
        ("webhook_url", "http://169.254.169.254/latest"),
        ("events", []),
        ("events", ["job.exploded"]),
        ("auth_header", "two\r\nlines"),
        ("auth_header", ""),
    ],
)
def test_what_cannot_be_registered(field: str, value: object) -> None:
    request = {"team_id": "acme-dev", "webhook_url": "https://hooks.example.com", "events": ["job.failed"]}
    answer = call("POST", "/api/webhooks/register", request | {field: value})
    assert (answer.status, answer.body["errors"][0]["field"].split(".")[0]) == (422, field)


@pytest.mark.parametrize("owner", [{}, {"team_id": "acme-dev", "organization_id": "org_acme"}])
def test_exactly_one_owner(owner: dict[str, str]) -> None:
    request = {"webhook_url": "https://hooks.example.com", "events": ["job.failed"]}
    answer = call("POST", "/api/webhooks/register", request | owner)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "team_id")


def test_an_owner_has_so_many() -> None:
    for _ in range(MAX_WEBHOOKS):
        build.webhook(organization_id="org_acme")
    request = {"organization_id": "org_acme", "webhook_url": "https://hooks.example.com", "events": ["job.failed"]}
    answer = call("POST", "/api/webhooks/register", request)
    assert (answer.status, answer.body["code"]) == (409, "too_many_webhooks")


def test_a_job_is_told_from_its_beginning_to_its_end(inbox: Receiver) -> None:
    made = build.webhook(team_id="acme-dev", webhook_url=f"{inbox.url}/jobs", auth_header="Bearer of-the-customer")
    pending, running = job_image("pending"), job_image("in_progress", **STARTED)
    notified(record(pending), record(running, pending), record(job_image("completed", **ENDED), running))
    send_new()

    last, *others = sorted(inbox.parcels, key=lambda parcel: str(parcel.body["event"]))
    assert [parcel.body["event"] for parcel in others] == ["job.created", "job.started"]
    assert last.body == {
        "event_id": last.headers["x-tollgate-event-id"],
        "event": "job.completed",
        "job_id": "j",
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "timestamp": "2026-03-01T12:00:03Z",
        "data": {
            "job_type": "summary",
            "status": "completed",
            "total_calls": 2,
            "failed_calls": 0,
            "total_cost_usd": 0.25,
            "duration_seconds": 2.5,
            "credit_applied": True,
            "credits_charged": 1,
            "error_message": None,
        },
    }
    assert last.headers["authorization"] == "Bearer of-the-customer"
    assert last.headers["x-tollgate-event"] == "job.completed"
    at, mac = (part.split("=")[1] for part in last.headers["x-tollgate-signature"].split(","))
    assert mac == hmac.new(made["secret"].encode(), f"{at}.{last.text}".encode(), hashlib.sha256).hexdigest()
    assert call("GET", "/api/webhooks").body["webhooks"][0]["last_triggered_at"] == "2026-03-01T12:00:00Z"


def test_records_that_come_again_tell_nothing_twice(inbox: Receiver) -> None:
    build.webhook(team_id="acme-dev", webhook_url=inbox.url)
    records = [record(job_image("pending")), record(job_image("failed", **ENDED), job_image("in_progress"))]
    notified(*records, *records[::-1])
    notified(*records)
    assert sorted(item["event"] for item in outbox()) == ["job.created", "job.failed"]
    send_new()
    send_new()
    assert len(inbox.parcels) == 2


def test_only_those_who_asked_hear_of_it(inbox: Receiver) -> None:
    build.organization("org_other")
    build.team("other-dev", "org_other")
    build.webhook(organization_id="org_acme", webhook_url=f"{inbox.url}/all", events=["job.cancelled"])
    build.webhook(team_id="acme-dev", webhook_url=f"{inbox.url}/none", events=["job.completed"])
    build.webhook(organization_id="org_other", webhook_url=f"{inbox.url}/foreign")
    team = next(item for item in raw_items() if item["PK"]["S"] == "TEAM#acme-dev" and item["SK"]["S"] == "#")
    whose = {"team_uid": team["uid"], "organization_uid": team["organization_uid"]}
    before = {"kind": {"S": "job"}, "status": {"S": "pending"}}
    job = {
        **before,
        **whose,
        "job_id": {"S": "j"},
        "job_type": {"S": "t"},
        "team_id": {"S": "acme-dev"},
        "status": {"S": "cancelled"},
        "created_at": {"S": "2026-03-01T12:00:00.000000Z"},
        "completed_at": {"S": "2026-03-01T12:00:01.000000Z"},
        "credit_applied": {"BOOL": False},
        "credits_charged": {"N": "0"},
    }
    notified(record(job, before))
    send_new()
    assert [parcel.path for parcel in inbox.parcels] == ["/all"]


def test_nobody_who_listens_costs_no_item() -> None:
    notified(record(job_image("pending")))
    assert outbox() == []


@pytest.mark.parametrize(
    ("verbs", "event", "data"),
    [
        (["suspend"], "team.suspended", {"previous_status": "active", "reason": "unpaid"}),
        (["pause"], "team.paused", {"previous_status": "active", "reason": "unpaid"}),
        (["pause", "resume"], "team.resumed", {"previous_status": "paused", "reason": None}),
    ],
)
def test_a_teams_status(verbs: list[str], event: str, data: Item, inbox: Receiver) -> None:
    build.webhook(team_id="acme-dev", webhook_url=inbox.url)
    old = new = image("team")
    for verb in verbs:
        old = image("team")
        assert call("POST", f"/api/teams/acme-dev/{verb}", {"reason": "unpaid"}).status == 200
        new = image("team")
    notified(record(new, old))
    send_new()
    (parcel,) = inbox.parcels
    assert (parcel.body["event"], parcel.body["job_id"], parcel.body["data"]) == (event, None, data)


def test_the_first_call_of_a_team_and_a_key(inbox: Receiver) -> None:
    build.webhook(team_id="acme-dev", webhook_url=inbox.url)
    key_id = call("GET", "/api/teams/acme-dev").body["key_id"]
    old = image("team")

    def made(second: int) -> Item:
        started = f"2026-03-01T12:00:0{second}.000000Z"
        texts = {"kind": "call", "team_id": "acme-dev", "team_uid": old["uid"]["S"], "key_id": key_id}
        texts |= {"started_at": started, "outcome": "success", "GSI1PK": "CALLS#t#2026-03-01", "requested_model": "m"}
        numbers = {"credits_charged": {"N": "0"}, "credits_reserved": {"N": "0"}}
        return record({name: {"S": value} for name, value in texts.items()} | numbers)

    notified(made(1), made(2))
    watcher.event_watcher()._called.clear()
    notified(made(3))
    team, (key,) = call("GET", "/api/teams/acme-dev").body, call("GET", "/api/teams/acme-dev/keys").body["keys"]
    assert (team["first_call_at"], key["first_call_at"]) == ("2026-03-01T12:00:01Z",) * 2
    assert image("team")["version"] == old["version"]
    notified(record(image("team"), old))
    send_new()
    (parcel,) = inbox.parcels
    assert (parcel.body["event"], parcel.body["timestamp"]) == ("team.first_call", "2026-03-01T12:00:01Z")


def test_what_does_not_arrive_is_tried_again_and_given_up(inbox: Receiver, clock: FakeClock) -> None:
    build.webhook(team_id="acme-dev", webhook_url=inbox.url)
    notified(record(job_image("pending")))
    inbox.answers(500)
    send_new()
    for seconds in BACKOFF_SECONDS:
        clock.advance(seconds=seconds)
        deliver.handler({}, None)
    assert len(inbox.parcels) == ATTEMPTS
    (event,) = outbox()
    assert "DUEPK" not in event
    assert '"failed"' in event["deliveries"]


def test_a_receiver_that_is_gone_for_good_is_switched_off(inbox: Receiver) -> None:
    build.webhook(team_id="acme-dev", webhook_url=inbox.url)
    inbox.answers(410)
    notified(record(job_image("pending")))
    send_new()
    assert call("GET", "/api/webhooks").body["webhooks"][0]["is_active"] is False
    notified(record(job_image("in_progress", **STARTED), job_image("pending")))
    assert len(outbox()) == 1


def test_a_webhook_that_was_deleted_gets_nothing(inbox: Receiver, clock: FakeClock) -> None:
    webhook_id = build.webhook(team_id="acme-dev", webhook_url=inbox.url)["webhook_id"]
    notified(record(job_image("pending")))
    call("DELETE", f"/api/webhooks/{webhook_id}")
    clock.advance(days=1)
    assert deliver.handler({}, None) == {"delivered": 0, "given_up": 1}
    assert inbox.parcels == []


def test_no_private_address(monkeypatch: pytest.MonkeyPatch, inbox: Receiver, clock: FakeClock) -> None:
    """As deployed: what a name resolves to is looked at when it is called."""
    build.webhook(team_id="acme-dev", webhook_url=inbox.url)
    monkeypatch.setattr(delivery, "_is_local", lambda: False)
    notified(record(job_image("pending")))
    send_new()
    assert inbox.parcels == []
    (event,) = outbox()
    assert "not a public one" in event["deliveries"]


def test_a_record_that_cannot_be_read_comes_again() -> None:
    broken = record({"kind": {"S": "job"}})
    answer = notify.handler({"Records": [record(job_image("pending")), broken]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": broken["dynamodb"]["SequenceNumber"]}]}
