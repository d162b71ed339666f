"""Alerts from the stream to the receiver: thresholds, once each, signed, retried, and never lost (Q-39)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import boto3
import pytest

from local.patterns import matches
from local.streams import StreamConsumer
from tests.support import build, receiver
from tests.support.api import call
from tests.support.clock import FakeClock
from tests.support.environment import TABLE, engine, template
from tests.support.items import all_items, put_raw
from tests.support.receiver import Receiver
from tollgate.alerts import addresses, delivery, outbox, repository, watcher
from tollgate.alerts.delivery import ATTEMPTS, BACKOFF_SECONDS
from tollgate.alerts.watcher import Watcher
from tollgate.core import ids
from tollgate.limits.model import Ceiling, Limits, ModelBudget, Unit, counter_name
from tollgate.limits.stored import to_map
from tollgate.table import keys
from workers import deliver, notify

SECRET = "canary-0123456789abcdef"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EPOCH = NOON.timestamp()
Item = dict[str, Any]
_numbers = count(1)


@pytest.fixture(autouse=True)
def workers(clock: FakeClock) -> Iterator[None]:
    """Both workers as they start cold, on the time of the test."""
    watcher.watcher.cache_clear()
    delivery.deliverer.cache_clear()
    watcher.watcher().clock = clock
    delivery.deliverer().clock = clock
    yield
    watcher.watcher.cache_clear()
    delivery.deliverer.cache_clear()


@pytest.fixture
def inbox() -> Iterator[Receiver]:
    with receiver.running() as running:
        yield running


def number(value: object) -> Item:
    return {"N": str(value)}


def record(new: Item, old: Item | None = None, at: float = EPOCH) -> Item:
    """A stream record as Lambda passes it on: an INSERT without an old image, else a MODIFY."""
    images = {"NewImage": new} | ({"OldImage": old} if old else {})
    return {
        "eventID": str(next(_numbers)),
        "eventName": "MODIFY" if old else "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": at,
            "Keys": {"PK": new["PK"], "SK": new["SK"]},
            "SequenceNumber": f"{next(_numbers):021d}",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **images,
        },
    }


def consumed(*records: Item) -> dict[str, Any]:
    """What the consumer answers to those of the records that the template's filters let through."""
    (source,) = [one for one in template.stream_sources() if one.function == "NotifyFunction"]
    wanted = [one for one in records if any(matches(pattern, one) for pattern in source.patterns)]
    assert len(wanted) == len(records)
    return notify.handler({"Records": json.loads(json.dumps(wanted))}, None)


def raw(pk: str, sk: str = "#") -> Item:
    found: Item = engine.client("dynamodb").get_item(TableName=TABLE, Key={"PK": {"S": pk}, "SK": {"S": sk}})["Item"]
    return found


def account(team_id: str = "acme-dev") -> Item:
    return raw(keys.account(raw(keys.team(team_id))["uid"]["S"]), "HOT#0")


def limited(pk: str, limits: Limits, sk: str = "#", **more: Item) -> None:
    """Sets an entity's limits as the API stores them."""
    put_raw([raw(pk, sk) | {"limits": {"M": to_map(limits)}} | more])


def settings(pk: str, **values: Item) -> None:
    put_raw([raw(pk) | values])


def spent(item: Item, usd: object, ceiling: Ceiling, **more: Item) -> Item:
    """A counter item that says ``usd`` of a ceiling's window at noon."""
    return item | {counter_name(ceiling.code, EPOCH): number(usd)} | more


def alerts(**query: str) -> list[dict[str, Any]]:
    """The history, oldest first."""
    answer = call("GET", "/api/alerts/history", query=query)
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.body["alerts"]
    return sorted(found, key=lambda entry: (entry["created_at"], entry["threshold"] or 0))


def thresholds(event: str = "budget.threshold") -> list[float | None]:
    return sorted(entry["threshold"] for entry in alerts(event=event))


def through(alert_ids: list[str] | None = None) -> dict[str, Any]:
    """The alert items of the table come by on the stream, as their own writes make them."""
    return consumed(*(record(raw_alert(one)) for one in alert_ids or [entry["alert_id"] for entry in alerts()]))


def raw_alert(alert_id: str) -> Item:
    return raw(keys.alert(alert_id))


BUDGET = Ceiling("max_budget", Unit.USD, Decimal(10), "1mo")


def team_with_budget(**more: Any) -> Item:
    build.organization()
    build.team(credits_allocated=1000)
    limited("TEAM#acme-dev", Limits(max_budget=Decimal(10), budget_duration="1mo", **more))
    return account()


def test_from_the_tables_stream_to_the_receiver(inbox: Receiver) -> None:
    """As the event source mapping of the template runs it, on the engine's own stream."""
    build.organization()
    build.team(credits_allocated=1000)
    build.alert_rule(team_id="acme-dev", url=inbox.url)
    (source,) = [one for one in template.stream_sources() if one.function == "NotifyFunction"]
    function = template.functions()["NotifyFunction"]
    consumer = StreamConsumer(replace(source, starting_position="LATEST"), function, engine, TABLE)
    consumer.poll()
    put_raw([account() | {"av": number(200)}])
    while consumer.poll():
        pass
    assert [parcel.body["event"] for parcel in inbox.parcels] == ["credits.low"]
    assert state() == (1, "delivered", None)


# --- budgets ---------------------------------------------------------------------------------------------------------


def test_every_threshold_of_a_budget_once(clock: FakeClock) -> None:
    item = team_with_budget()
    steps = {"4.99": [], "5": [50], "7.999": [50], "8": [50, 80], "10": [50, 80, 100], "12.5": [50, 80, 100, 120]}
    before = spent(item, "0", BUDGET)
    for usd, wanted in steps.items():
        after = spent(item, usd, BUDGET)
        assert consumed(record(after, before)) == {"batchItemFailures": []}
        assert thresholds() == wanted
        before = after
    assert consumed(record(before, before)) == {"batchItemFailures": []}
    assert thresholds() == [50, 80, 100, 120]


def test_what_an_alert_says(clock: FakeClock) -> None:
    item = team_with_budget(soft_budget=Decimal(6))
    consumed(record(spent(item, "5.5", BUDGET), item))
    (entry,) = alerts(team_id="acme-dev")
    assert {name: value for name, value in entry.items() if value is not None} == {
        "alert_id": entry["alert_id"],
        "event": "budget.threshold",
        "litellm_event": "threshold_crossed",
        "event_group": "team",
        "event_message": "Team 'acme-dev' has used 50 % of its max_budget: 5.5 of 10 USD",
        "created_at": "2026-03-01T12:00:00Z",
        "scope": "team",
        "scope_id": "acme-dev",
        "limit": "max_budget",
        "threshold": 50,
        "percentage": 55,
        "spend": 5.5,
        "max_budget": 10,
        "soft_budget": 6,
        "budget_reset_at": "2026-04-01T00:00:00Z",
        "organization_id": "org_acme",
        "team_id": "acme-dev",
        "team_alias": "acme-dev",
        "attempts": 0,
        "deliveries": [],
    }


def test_reserved_money_is_not_spent() -> None:
    item = team_with_budget()
    hold_id = ids.hold_id_of(ids.new_call_id(int(EPOCH * 1000)))
    hold = {"M": {"a": number(6), "x": number(9), "w": {"S": BUDGET.code}}}
    after = spent(item, "9", BUDGET, h={"M": {hold_id: hold}})
    consumed(record(after, item))
    assert thresholds() == []
    consumed(record(spent(item, "9", BUDGET), after))
    assert thresholds() == [50, 80]


def test_a_new_window_alerts_anew() -> None:
    item = team_with_budget()
    april = datetime(2026, 4, 2, tzinfo=UTC).timestamp()
    old = spent(item, "8", BUDGET)
    consumed(record(old, item))
    consumed(record(old | {counter_name(BUDGET.code, april): number("5")}, old, at=april))
    assert thresholds() == [50, 50, 80]


def test_soft_budget_and_model_budget() -> None:
    model = Ceiling("model_max_budget", Unit.USD, Decimal(2), "1d", "gpt-4")
    budgets = {"gpt-4": ModelBudget(Decimal(2), "1d")}
    item = team_with_budget(soft_budget=Decimal(3), model_max_budget=budgets)
    consumed(record(spent(spent(item, "3.5", BUDGET), "2", model), item))
    found = {(entry["limit"], entry["model"], entry["threshold"], entry["litellm_event"]) for entry in alerts()}
    assert found == {
        ("soft_budget", None, None, "soft_budget_crossed"),
        ("model_max_budget", "gpt-4", 50, "threshold_crossed"),
        ("model_max_budget", "gpt-4", 80, "threshold_crossed"),
        ("model_max_budget", "gpt-4", 100, "budget_crossed"),
    }


def test_limits_count_as_they_are_now() -> None:
    """A raised budget makes no alert by what was remembered of it, and a lowered one is noticed with the next call."""
    item = team_with_budget()
    watcher.watcher().see([record(spent(item, "1", BUDGET), item)])
    limited("TEAM#acme-dev", Limits(max_budget=Decimal(100), budget_duration="1mo"))
    consumed(record(spent(item, "9", BUDGET), item))
    assert thresholds() == []
    limited("TEAM#acme-dev", Limits(max_budget=Decimal(9), budget_duration="1mo"))
    watcher.watcher.cache_clear()
    consumed(record(spent(item, "9.1", BUDGET), item))
    assert thresholds() == [50, 80, 100]


def test_every_scope_is_found_by_what_its_counter_says() -> None:
    build.organization()
    build.team()
    limits = {"limits": {"M": to_map(Limits(max_budget=Decimal(10), budget_duration="1mo"))}}
    organization, key = raw("ORG#org_acme"), raw(f"KEY#{build.issued_key(key_alias='ci')['key_id']}")

    def entity(pk: str, sk: str = "#", **names: str) -> Item:
        texts = {"PK": pk, "SK": sk, "kind": "test", "uid": f"U{pk}{sk}"} | names
        return {name: {"S": text} for name, text in texts.items()} | limits

    put_raw([organization | limits, key | limits])
    user = entity(keys.user("anne"), email="anne@example.com", uid="UANNE")
    members = keys.members_of(organization["uid"]["S"]), keys.member("UANNE")
    put_raw([
        user, entity(*members), entity(keys.customer("cus")), entity(keys.CATALOGUE, keys.tag("red")),
        entity(keys.CATALOGUE, keys.PLATFORM_LIMITS),
    ])  # fmt: skip
    holders = {
        "organization": ("org_acme", organization["uid"]["S"]),
        "key": (key["key_id"]["S"], key["uid"]["S"] if "uid" in key else ""),
        "user": ("anne", "UANNE"),
        "organization-member": ("org_acme~anne", f"U{members[0]}{members[1]}"),
        "customer": ("cus", f"U{keys.customer('cus')}#"),
        "tag": ("red", f"U{keys.CATALOGUE}{keys.tag('red')}"),
        "platform": ("platform", "platform"),
    }
    for scope, (scope_id, uid) in holders.items():
        texts = {"PK": keys.account(uid), "SK": "HOT#0", "kind": "counter", "scope": scope, "scope_id": scope_id}
        if scope == "key":
            texts |= {"key_id": scope_id, "team_id": "acme-dev", "team_uid": raw("TEAM#acme-dev")["uid"]["S"]}
        item = {name: {"S": text} for name, text in texts.items()} | {"h": {"M": {}}}
        consumed(record(spent(item, "6", BUDGET), item))
    told = {entry["scope"]: entry for entry in alerts()}
    assert told.keys() == holders.keys()
    assert {name: entry["event_group"] for name, entry in told.items()} == {
        "organization": "organization", "key": "key", "user": "user", "organization-member": "organization_member",
        "customer": "end_user", "tag": "tag", "platform": "proxy",
    }  # fmt: skip
    assert (told["key"]["token"], told["key"]["key_alias"]) == (key["key_id"]["S"], "ci")
    assert (told["user"]["user_id"], told["user"]["user_email"]) == ("anne", "anne@example.com")
    assert told["tag"]["tag"] == "red"


def test_a_team_share_of_its_organizations_budget() -> None:
    item = team_with_budget()
    limited("ORG#org_acme", Limits(max_budget=Decimal(50), budget_duration="1d"))
    limited("TEAM#acme-dev", Limits(), allocated_budget=number(20))
    share = Ceiling("allocated_budget", Unit.SHARE, Decimal(20), "1d")
    consumed(record(spent(item, "16", share), item))
    assert [(entry["limit"], entry["threshold"], entry["max_budget"]) for entry in alerts()] == [
        ("allocated_budget", 50, 20),
        ("allocated_budget", 80, 20),
    ]


def test_shards_are_summed() -> None:
    item = team_with_budget()
    settings("TEAM#acme-dev", account_shards=number(2), account_items=number(2))
    put_raw([spent(item, "3", BUDGET), spent(item, "2.5", BUDGET) | {"SK": {"S": "HOT#1"}}])
    consumed(record(spent(item, "3", BUDGET), item))
    assert thresholds() == [50]


def test_a_counter_of_what_is_gone_says_nothing() -> None:
    item = team_with_budget()
    assert consumed(record(spent(item, "9", BUDGET) | {"PK": {"S": "ACCOUNT#former"}}, item)) == {
        "batchItemFailures": []
    }
    assert alerts() == []


# --- credits ---------------------------------------------------------------------------------------------------------


def test_prepaid_credits_by_what_is_left(clock: FakeClock) -> None:
    build.organization()
    build.team(credits_allocated=1000)
    item = account()
    for available in ("201", "200", "150", "100", "2", "1", "0"):
        consumed(record(item | {"av": number(available)}, item))
    assert (thresholds("credits.low"), thresholds("credits.exhausted")) == ([10, 20], [0])
    low = alerts(event="credits.low")[-1]
    assert low["event_message"] == "Team 'acme-dev' has at most 20 % of its credits left: 200 of 1000"
    figures = (low["credits_allocated"], low["credits_used"], low["credits_remaining"])
    assert figures == (1000, 800, 200)


def test_credits_that_are_held_are_not_used() -> None:
    build.organization()
    build.team(credits_allocated=1000)
    item = account()
    holds = {"M": {"AAAA": {"M": {"a": number(900), "x": number(9)}}}}
    consumed(record(item | {"av": number(100), "h": holds}, item))
    assert alerts() == []


def test_a_top_up_begins_a_new_period() -> None:
    build.organization()
    build.team(credits_allocated=1000)
    item = account()
    consumed(record(item | {"av": number(150)}, item))
    topped_up = item | {"al": number(2000), "av": number(1150)}
    consumed(record(topped_up, item))
    consumed(record(topped_up | {"av": number(400)}, topped_up))
    assert thresholds("credits.low") == [20, 20]


def test_a_refill_is_the_whole_of_its_period() -> None:
    build.organization()
    build.team(credits_allocated=1000)
    settings("TEAM#acme-dev", auto_refill={"BOOL": True}, refill_amount=number(100), refill_period={"S": "daily"})
    item = account() | {"al": number(5000)}
    consumed(record(item | {"av": number(90)}, item))
    assert alerts() == []
    consumed(record(item | {"av": number(20)}, item))
    assert thresholds("credits.low") == [20]


def test_soft_credits_by_what_is_used_and_unlimited_ones_not_at_all() -> None:
    build.organization()
    build.team(credits_allocated=100)
    item = account()
    settings("TEAM#acme-dev", limit_mode={"S": "unlimited"})
    consumed(record(item | {"av": number(-50)}, item))
    assert alerts() == []
    settings("TEAM#acme-dev", limit_mode={"S": "soft"})
    watcher.watcher.cache_clear()
    consumed(record(item | {"av": number(-20)}, item))
    assert (thresholds("credits.low"), thresholds("credits.exhausted")) == ([50, 80], [100, 120])


def test_an_account_has_percentages_of_its_own() -> None:
    build.organization()
    build.team(credits_allocated=100)
    settings("TEAM#acme-dev", alert_at_percentage={"L": [number(30), number(60)]})
    item = account()
    consumed(record(item | {"av": number(40)}, item))
    assert thresholds("credits.low") == [40, 70]


def test_credit_limit_of_a_period() -> None:
    build.organization()
    build.team(credits_allocated=1000)
    settings("TEAM#acme-dev", credit_limit=number(10), refill_period={"S": "daily"})
    item = account()
    limit = Ceiling("credit_limit", Unit.CREDITS, Decimal(10), "1d")
    hold_id = ids.hold_id_of(ids.new_call_id(int(EPOCH * 1000)))
    hold = {"M": {"a": number(2), "u": number(7), "x": number(9), "w": {"S": limit.code}}}
    consumed(record(spent(item, "10", limit, h={"M": {hold_id: hold}}), item))
    assert [(entry["limit"], entry["threshold"]) for entry in alerts()] == [("credit_limit", 50), ("credit_limit", 80)]
    consumed(record(spent(item, "10", limit), item))
    assert thresholds("credits.exhausted") == [100]


# --- calls -----------------------------------------------------------------------------------------------------------


def call_record(number_of_call: int = 0, **more: Item) -> Item:
    """The record of a call by acme-dev, made so many seconds after noon."""
    started = EPOCH + number_of_call
    call_id = ids.new_call_id(int(started * 1000))
    team = raw("TEAM#acme-dev")
    return {
        "PK": {"S": keys.call(ids.hold_id_of(call_id))},
        "SK": {"S": "#"},
        "GSI1PK": {"S": keys.calls_of(team["uid"]["S"], "2026-03-01")},
        "GSI1SK": {"S": call_id},
        "kind": {"S": "call"},
        "call_id": {"S": call_id},
        "team_id": team["team_id"],
        "team_uid": team["uid"],
        "organization_id": team["organization_id"],
        "organization_uid": team["organization_uid"],
        "requested_model": {"S": "fast"},
        "outcome": {"S": "success"},
        "cost_usd": number("0.5"),
        "credits_charged": number("0.5"),
        "credits_reserved": number("1"),
        "started_at": {"S": datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")},
    } | more


def test_overruns_are_told_once_an_hour_and_model() -> None:
    build.organization()
    build.team()
    over = {"credits_charged": number("1.5")}
    first = call_record(**over)
    consumed(record(call_record(1)), record(first), record(call_record(2, **over)), record(first))
    consumed(record(call_record(3, **over, requested_model={"S": "slow"})), record(call_record(3600, **over)))
    found = alerts()
    assert {entry["model"] for entry in found} == {"fast", "slow"}
    assert len(found) == 3
    told = next(entry for entry in found if entry["call_id"] == first["call_id"]["S"])
    assert (told["event"], told["credits_charged"], told["credits_reserved"]) == ("call.overrun", 1.5, 1)
    assert told["event_message"] == (
        "A call of fast by Team 'acme-dev' was billed 0.5 credits beyond what was reserved for it"
    )


def failures(failed: int, calls: int, first: int = 0) -> list[Item]:
    """Stored records of so many calls, of which the last ones failed."""
    made = [
        call_record(first + one, **({"outcome": {"S": "failed"}} if one >= calls - failed else {}))
        for one in range(calls)
    ]
    put_raw(made)
    return made


def test_error_rate() -> None:
    build.organization()
    build.team()
    made = failures(2, 50)
    consumed(*(record(one) for one in made))
    assert alerts() == []
    made = failures(3, 10, first=51)
    consumed(*(record(one) for one in made))
    (entry,) = alerts()
    assert (entry["event"], entry["event_group"], entry["event_message"]) == (
        "error_rate.high", "team", "5 of the last 60 calls of Team 'acme-dev' failed",
    )  # fmt: skip
    assert (entry["threshold"], entry["percentage"], entry["calls"], entry["failed_calls"]) == (5, 8.3333, 60, 5)
    consumed(*(record(one) for one in made))
    assert len(alerts()) == 1


def test_a_rule_has_an_error_rate_of_its_own() -> None:
    build.organization()
    build.team()
    rule = build.alert_rule(team_id="acme-dev", error_rate_percent=50, error_rate_min_calls=4)
    made = failures(1, 3)
    consumed(*(record(one) for one in made))
    assert alerts() == []
    made = failures(1, 1, first=4)
    consumed(*(record(one) for one in made))
    (entry,) = alerts()
    assert (entry["threshold"], entry["percentage"], entry["calls"], entry["failed_calls"]) == (50, 50, 4, 2)
    assert [own["rule_id"] for own in entry["deliveries"]] == [rule["rule_id"]]


def test_old_calls_do_not_count_in_the_error_rate() -> None:
    build.organization()
    build.team()
    build.alert_rule(team_id="acme-dev", error_rate_percent=10, error_rate_min_calls=3)
    failures(2, 2)
    consumed(*(record(one) for one in failures(1, 1, first=301)))
    assert alerts() == []


# --- rules and the outbox --------------------------------------------------------------------------------------------


def test_who_hears_of_a_team() -> None:
    item = team_with_budget()
    build.organization("org_other")
    build.team("acme-prod")
    rules = {
        "platform": build.alert_rule(),
        "organization": build.alert_rule(organization_id="org_acme", thresholds=[60]),
        "team": build.alert_rule(team_id="acme-dev", events=["budget.threshold"], thresholds=[50, 60]),
        "credits only": build.alert_rule(team_id="acme-dev", events=["credits.low"]),
        "inactive": build.alert_rule(team_id="acme-dev", is_active=False),
        "sister": build.alert_rule(team_id="acme-prod"),
        "stranger": build.alert_rule(organization_id="org_other"),
    }
    names = {rule["rule_id"]: name for name, rule in rules.items()}
    consumed(record(spent(item, "6.5", BUDGET), item))
    told = {entry["threshold"]: {names[own["rule_id"]] for own in entry["deliveries"]} for entry in alerts()}
    assert told == {50: {"platform", "team"}, 60: {"organization", "team"}}


def test_a_record_that_comes_again_or_to_another_consumer_alerts_once() -> None:
    item = team_with_budget()
    build.alert_rule(team_id="acme-dev")
    records = [record(spent(item, usd, BUDGET), item) for usd in ("5", "8", "10", "13")]
    seen = [consumer.see([*records, *records[::-1]]) for consumer in (Watcher(), Watcher())]
    assert [(one.failed, one.raised) for one in seen] == [(None, 4), (None, 0)]
    assert thresholds() == [50, 80, 100, 120]


def test_a_batch_fails_from_the_first_bad_record_on(monkeypatch: pytest.MonkeyPatch) -> None:
    item = team_with_budget()
    good, bad, rest = (record(spent(item, usd, BUDGET), item) for usd in ("5", "8", "10"))
    real = repository.raise_once

    def fail_at_80(alert: Any) -> bool:
        if alert.message.threshold == 80:
            message = "the table is gone"
            raise OSError(message)
        return real(alert)

    monkeypatch.setattr(repository, "raise_once", fail_at_80)
    answer = consumed(good, bad, rest)
    assert answer == {"batchItemFailures": [{"itemIdentifier": bad["dynamodb"]["SequenceNumber"]}]}
    assert thresholds() == [50]
    monkeypatch.undo()
    assert consumed(bad, rest) == {"batchItemFailures": []}
    assert thresholds() == [50, 80, 100]


# --- delivery --------------------------------------------------------------------------------------------------------


def raised(**rule: Any) -> str:
    """An alert of acme-dev at 50 % with one rule; its id."""
    item = team_with_budget()
    build.alert_rule(team_id="acme-dev", events=["budget.threshold"], **rule)
    consumed(record(spent(item, "5", BUDGET), item))
    (entry,) = alerts()
    alert_id: str = entry["alert_id"]
    return alert_id


def state() -> tuple[int, str, str | None]:
    (entry,) = alerts()
    (own,) = entry["deliveries"]
    return entry["attempts"], own["state"], own["error"]


def test_a_new_alert_is_sent_at_once_and_signed(inbox: Receiver) -> None:
    alert_id = raised(url=f"{inbox.url}/hook", secret=SECRET)
    assert inbox.parcels == []
    assert through() == {"batchItemFailures": []}
    assert state() == (1, "delivered", None)
    (parcel,) = inbox.parcels
    assert parcel.path == "/hook"
    moment, mac = (part.split("=")[1] for part in parcel.headers["x-tollgate-signature"].split(","))
    assert mac == hmac.new(SECRET.encode(), f"{moment}.{parcel.text}".encode(), hashlib.sha256).hexdigest()
    assert (parcel.headers["x-tollgate-alert-id"], parcel.headers["x-tollgate-event"]) == (alert_id, "budget.threshold")
    (entry,) = alerts()
    assert parcel.body == {name: value for name, value in entry.items() if name not in {"attempts", "deliveries"}}
    assert SECRET not in parcel.text
    # Neither redelivery nor the schedule sends it again, and the outbox is empty.
    through()
    assert deliver.handler({}, None) == {"delivered": 0, "given_up": 0}
    assert len(inbox.parcels) == 1
    assert not [item for item in all_items() if item.get("DUEPK") == keys.DELIVERIES]


def test_a_receiver_that_fails_gets_it_later(inbox: Receiver, clock: FakeClock) -> None:
    raised(url=inbox.url)
    inbox.answers(500, 503, 302, 200)
    through()
    assert state() == (1, "pending", "answered 500")
    for attempt, seconds in enumerate(BACKOFF_SECONDS[:3], start=1):
        clock.advance(seconds=seconds - 1)
        assert deliver.handler({}, None) == {"delivered": 0, "given_up": 0}
        assert len(inbox.parcels) == attempt
        clock.advance(seconds=1)
        deliver.handler({}, None)
        assert len(inbox.parcels) == attempt + 1
    assert state() == (4, "delivered", None)
    # A redirect is not followed.
    assert {parcel.path for parcel in inbox.parcels} == {"/"}


def test_after_the_last_attempt_it_is_given_up(inbox: Receiver, clock: FakeClock) -> None:
    raised(url=inbox.url)
    inbox.answers(500)
    through()
    for seconds in BACKOFF_SECONDS[:-1]:
        clock.advance(seconds=seconds)
        assert deliver.handler({}, None) == {"delivered": 0, "given_up": 0}
    clock.advance(seconds=BACKOFF_SECONDS[-1])
    assert deliver.handler({}, None) == {"delivered": 0, "given_up": 1}
    assert state() == (ATTEMPTS, "failed", "answered 500")
    clock.advance(days=2)
    assert deliver.handler({}, None) == {"delivered": 0, "given_up": 0}
    assert len(inbox.parcels) == ATTEMPTS


def test_a_slow_receiver_does_not_hold_up_the_stream(inbox: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_QUICK_SECONDS", 0.1)
    raised(url=inbox.url)
    inbox.answers(30.0)
    through()
    assert state() == (1, "pending", "no answer in time")
    # What failed lately is left to the schedule.
    rule_id = alerts()[0]["deliveries"][0]["rule_id"]
    tested = call("POST", f"/api/alerts/{rule_id}/test").body["alert_id"]
    through([tested])
    assert len(inbox.parcels) == 1


def test_a_dead_receiver(clock: FakeClock) -> None:
    raised(url="http://127.0.0.1:9")
    through()
    assert state() == (1, "pending", "no connection")


def test_a_worker_that_died_costs_an_attempt_and_no_alert(inbox: Receiver, clock: FakeClock) -> None:
    alert_id = raised(url=inbox.url)
    for attempt in range(ATTEMPTS - 1):
        clock.advance(days=1)
        alert = repository.find_alert(keys.alert(alert_id))
        assert alert is not None
        assert alert.attempts == attempt
        assert outbox.claim(keys.alert(alert_id), alert.attempts, clock())
    clock.advance(days=1)
    assert deliver.handler({}, None) == {"delivered": 1, "given_up": 0}
    assert len(inbox.parcels) == 1


def test_a_worker_that_died_at_the_last_attempt(inbox: Receiver, clock: FakeClock) -> None:
    alert_id = raised(url=inbox.url)
    for _ in range(ATTEMPTS):
        alert = repository.find_alert(keys.alert(alert_id))
        assert alert is not None
        assert outbox.claim(keys.alert(alert_id), alert.attempts, clock())
    assert deliver.handler({}, None) == {"delivered": 0, "given_up": 1}
    assert inbox.parcels == []


def test_rules_that_are_gone_or_inactive_get_nothing(inbox: Receiver) -> None:
    raised(url=inbox.url)
    rule_id = alerts()[0]["deliveries"][0]["rule_id"]
    call("DELETE", f"/api/alerts/{rule_id}")
    through()
    assert state() == (1, "failed", "the rule is gone or inactive")
    assert inbox.parcels == []


def test_one_dead_receiver_does_not_keep_it_from_others(inbox: Receiver, clock: FakeClock) -> None:
    item = team_with_budget()
    dead = build.alert_rule(url="http://127.0.0.1:9")["rule_id"]
    alive = build.alert_rule(url=inbox.url)["rule_id"]
    consumed(record(spent(item, "5", BUDGET), item))
    through()
    clock.advance(minutes=1)
    deliver.handler({}, None)
    (entry,) = alerts()
    assert {own["rule_id"]: own["state"] for own in entry["deliveries"]} == {dead: "pending", alive: "delivered"}
    assert len(inbox.parcels) == 1


def test_slack_gets_a_text(inbox: Receiver) -> None:
    raised(channel="slack", url=f"{inbox.url}/services/T0/B0/x")
    through()
    (parcel,) = inbox.parcels
    assert parcel.path == "/services/T0/B0/x"
    assert parcel.body == {
        "text": "*budget.threshold* Team 'acme-dev' has used 50 % of its max_budget: 5 of 10 USD",
    }
    assert "x-tollgate-signature" not in parcel.headers


def test_a_topic_gets_the_message(clock: FakeClock) -> None:
    sns, sqs = (boto3.client(name, region_name="us-east-1") for name in ("sns", "sqs"))
    topic = sns.create_topic(Name="tollgate-alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    raised(channel="sns", url=None, topic_arn=topic)
    through()
    assert state() == (1, "delivered", None)
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(message["Body"])
    assert (body["Subject"], json.loads(body["Message"])["threshold"]) == ("Tollgate: budget.threshold", 50)


def test_a_topic_that_does_not_exist() -> None:
    raised(channel="sns", url=None, topic_arn="arn:aws:sns:us-east-1:123456789012:tollgate-nowhere")
    through()
    attempts, own, error = state()
    assert (attempts, own) == (1, "pending")
    assert error is not None
    assert error.startswith("SNS: NotFound")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "fe80::1", "fd00::1", "::ffff:127.0.0.1", "224.0.0.1"],
)  # fmt: skip
def test_only_public_addresses_are_sent_to(host: str) -> None:
    with pytest.raises(addresses.RefusedAddressError):
        addresses.check(host)
    addresses.check("93.184.215.14")
    addresses.check("hooks.example.com")


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://localhost:{port}", "http://2130706433:{port}"])
def test_a_deployed_stack_sends_nothing_to_its_own_network(
    url: str, inbox: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_is_local", lambda: False)
    raised(url=url.format(port=inbox.url.rpartition(":")[2]))
    through()
    attempts, own, error = state()
    assert (attempts, own) == (1, "pending")
    assert error in {"the address is not a public one", "no connection"}
    assert inbox.parcels == []
