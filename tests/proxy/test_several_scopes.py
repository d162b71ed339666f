"""Faults of the table for calls that are counted in five places: all of them say the same in the end, or nothing at all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, cost, error
from tests.support import items
from tests.support.counters import counters
from tests.support.environment import engine
from tests.support.items import all_items
from tests.support.limits import limit, owned_by
from tests.support.upstream import answer, usage
from tollgate.auth.credentials import key_id_of
from tollgate.aws import dynamodb
from tollgate.aws.dynamodb import DynamoDB
from tollgate.core import ids
from tollgate.metering.counters import due
from tollgate.table import keys
from workers import sweep

BUSY = error(503, "store_unavailable", "The data store did not answer; try again")
COST = cost(100, 10)
STEPS = {
    "reserve": "h.#id = :hold",
    "record": "attribute_not_exists(PK)",
    "settle": "cn = cn + :one",
    "release": "REMOVE h.#id",
}
# ``lost``: done, not told. ``cut``: neither, but it arrives later.
FAULTS = ["lost", "cut", "500", "ThrottlingException", "TransactionConflictException"]
ALWAYS = 1_000


class Faults:
    """What goes wrong for one step of one scope; ``uid`` None: of any."""

    def __init__(self) -> None:
        self.late: list[tuple[str, dict[str, Any]]] = []
        self._planned: list[tuple[str, str | None, str, int]] = []
        self.seen = 0

    def at(self, step: str, uid: str | None, what: str, times: int = 1) -> None:
        self._planned.append((step, uid, what, times))

    def take(self, target: str, body: bytes) -> str | None:
        text = body.decode()
        for number, (step, uid, what, times) in enumerate(self._planned):
            if times and STEPS[step] in text and (uid is None or f"ACCOUNT#{uid}" in text):
                if step == "release" and STEPS["settle"] in text:
                    continue
                self._planned[number] = (step, uid, what, times - 1)
                self.seen += 1
                if what == "cut":
                    self.late.append((target.rpartition(".")[2], json.loads(body)))
                return what
        return None

    def end(self) -> None:
        """Nothing goes wrong any more, and what was held up on its way arrives."""
        self._planned.clear()
        table = engine.client("dynamodb")
        for operation, payload in self.late:
            with suppress(table.exceptions.ConditionalCheckFailedException):
                (table.put_item if operation == "PutItem" else table.update_item)(**payload)
        self.late.clear()


@pytest.fixture
def scopes(plane: Plane, team: dict[str, Any]) -> dict[str, str]:
    """Uids of five scopes with limits that every call is counted in; the team's has its credits."""
    plane.provider.does(MODEL, answer(used=usage(100, 10)))
    key_id = key_id_of(plane.key)
    limit("user", "jo", max_budget=Decimal(50), budget_duration="1d")
    owned_by(key_id, "jo")
    limit("key", key_id, max_budget=Decimal(50), tpd_limit=10**6)
    limit("team", "acme-dev", max_budget=Decimal(50), budget_duration="1mo")
    limit("organization", "org_acme", max_budget=Decimal(50), tpd_limit=10**6)
    limit("platform", "platform", max_budget=Decimal(50), max_parallel_requests=50)
    # Their counter items are made by a first call.
    assert plane.chat().status_code == 200
    named = {("key", key_id), ("user", "jo"), ("team", "acme-dev"), ("organization", "org_acme")}
    found = {"platform": "platform"}
    for item in all_items():
        for kind, external_id in named:
            if item["SK"] == "#" and item.get(f"{kind}_id") == external_id and item["PK"].startswith(_PREFIX[kind]):
                found[kind] = item["uid"]
    assert len(found) == 5
    return found


_PREFIX = {"key": "KEY#", "user": "USER#", "team": "TEAM#", "organization": "ORG#"}


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch, scopes: dict[str, str]) -> Iterator[Faults]:
    planned = Faults()
    real = DynamoDB._post

    async def post(self: DynamoDB, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        match planned.take(target, body):
            case None:
                return await real(self, target, body)
            case "lost":
                await real(self, target, body)
                raise TimeoutError
            case "cut":
                raise TimeoutError
            case "500":
                return 500, {"__type": "com.amazonaws#InternalServerError"}
            case name:
                return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": "no"}

    with monkeypatch.context() as patch:
        patch.setattr(DynamoDB, "_post", post)
        patch.setattr(dynamodb.random, "uniform", lambda *_: 0)
        yield planned


def _everywhere(plane: Plane, calls: int, spent: Decimal) -> None:
    """Every scope has counted the same calls, and nothing is held."""
    found = plane.books()
    assert (len(found.records), found.charged, found.available) == (calls, spent, 1000 - spent)
    scoped = [("key", key_id_of(plane.key)), ("user", "jo"), ("team", "acme-dev")]
    for scope, scope_id in [*scoped, ("organization", "org_acme"), ("platform", "platform")]:
        counted = counters(scope, scope_id)
        budget = sum(value for name, value in counted.windows.items() if name.startswith("b"))
        told = (counted.calls, counted.spent_usd, budget, counted.holds)
        assert told == (calls, spent, spent, {}), scope


def _sweep_later(monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time() + 3600
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: later)
        sweep.handler({}, None)
        assert sweep.handler({}, None)["holds"] == 0


@pytest.mark.parametrize("step", ["reserve", "settle"])
@pytest.mark.parametrize("what", FAULTS)
def test_one_fault_in_any_scope_makes_no_difference(  # noqa: PLR0917
    plane: Plane, scopes: dict[str, str], faults: Faults, monkeypatch: pytest.MonkeyPatch, step: str, what: str
) -> None:
    for uid in scopes.values():
        faults.at(step, uid, what)
        assert plane.chat().status_code == 200
    assert faults.seen == len(scopes)

    faults.end()
    _sweep_later(monkeypatch)

    _everywhere(plane, 1 + len(scopes), (1 + len(scopes)) * COST)


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_of_the_record_makes_no_difference(
    plane: Plane, faults: Faults, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    faults.at("record", None, what)
    assert plane.chat().status_code == 200
    faults.end()
    _sweep_later(monkeypatch)
    assert faults.seen == 1
    _everywhere(plane, 2, 2 * COST)


@pytest.mark.parametrize("what", FAULTS)
def test_a_scope_that_cannot_be_reserved_lets_go_of_all_the_others(
    plane: Plane, scopes: dict[str, str], faults: Faults, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    asked = len(plane.provider.calls)
    for uid in scopes.values():
        faults.at("reserve", uid, what, ALWAYS)
        refused = plane.chat()
        assert (refused.status_code, refused.json(), refused.headers["retry-after"]) == (503, BUSY, "1")
        faults.end()
    assert len(plane.provider.calls) == asked

    _sweep_later(monkeypatch)

    _everywhere(plane, 1, COST)


@pytest.mark.parametrize("what", FAULTS)
def test_a_scope_that_cannot_be_settled_is_settled_later_and_once(
    plane: Plane, scopes: dict[str, str], faults: Faults, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    for uid in scopes.values():
        faults.at("settle", uid, what, ALWAYS)
        assert plane.chat().status_code == 200
        faults.end()

    _sweep_later(monkeypatch)

    _everywhere(plane, 1 + len(scopes), (1 + len(scopes)) * COST)


@pytest.mark.parametrize("what", FAULTS)
def test_a_call_that_cannot_be_recorded_is_charged_as_reserved_everywhere(
    plane: Plane, faults: Faults, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    faults.at("record", None, what, 6)
    assert plane.chat().status_code == 200
    _sweep_later(monkeypatch)
    faults.end()
    _sweep_later(monkeypatch)
    records = plane.books().records
    second = max(records, key=lambda record: record["call_id"])
    # What was lost only on the way back is there.
    done = what == "lost"
    assert second["outcome"] == ("success" if done else "interrupted")
    assert second["credits_charged"] == (COST if done else second["credits_reserved"])
    _everywhere(plane, 2, COST + second["cost_usd"])


@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.parametrize("times", [1, ALWAYS])
def test_a_refusal_whose_release_fails_leaves_nothing(  # noqa: PLR0917
    plane: Plane, scopes: dict[str, str], faults: Faults, monkeypatch: pytest.MonkeyPatch, what: str, times: int
) -> None:
    limit("platform", "platform", max_budget=Decimal(50), max_parallel_requests=0)
    for scope in ("key", "user", "team", "organization"):
        faults.at("release", scopes[scope], what, times)
        refused = plane.chat()
        if times == 1:
            told = refused.json()["error"]
            assert (refused.status_code, told["limit_type"], told["scope"]) == (
                429,
                "max_parallel_requests",
                "platform",
            )
        else:
            assert (refused.status_code, refused.json()) == (503, BUSY)
        faults.end()

    _sweep_later(monkeypatch)

    _everywhere(plane, 1, COST)


def test_a_release_that_comes_late_does_not_touch_what_is_held_now(
    plane: Plane, scopes: dict[str, str], faults: Faults
) -> None:
    """Refused for its size, then held shorter: a copy of the first attempt's release arrives while the call runs."""
    # Carries the call alone, but not with the one that was made before.
    limit("organization", "org_acme", max_budget=Decimal("0.052"))
    faults.at("release", scopes["team"], "cut")

    with plane.in_flight(answer(used=usage(100, 10)), max_tokens=900):
        assert faults.seen == 1
        faults.end()

    assert plane.provider.last.body["max_tokens"] < 900
    _everywhere(plane, 2, 2 * COST)


def test_the_sweeper_waits_for_holds_that_the_index_does_not_show_yet(
    plane: Plane, team: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A counter item is in the index by its first hold, which may expire later than this one: nothing is void for that."""
    now = time.time()
    hold_id = ids.hold_id_of(ids.new_call_id(int((now - 300) * 1000)))
    hold = {"t": {"N": "10"}, "x": {"N": str(int(now) - 100)}, "n": {"N": "2"}}
    account = next(item for item in items.raw_items() if item["kind"]["S"] == "account")
    account["h"] = {"M": {hold_id: {"M": hold | {"a": {"N": "1"}}}}}
    account |= {"av": {"N": "999"}, "DUEPK": {"S": keys.sweep(0)}, "DUESK": {"S": due(int(now) - 100)}}
    counter = {
        "PK": {"S": keys.account("01KEY")},
        "SK": {"S": keys.counter()},
        "kind": {"S": "counter"},
        "scope": {"S": "key"},
        "scope_id": {"S": "k"},
        "key_id": {"S": "k"},
        "h": {"M": {hold_id: {"M": hold | {"u": {"N": "1"}}}}},
        **{name: {"N": "0"} for name in ("us", "tk", "cn")},
        "DUEPK": {"S": keys.sweep(0)},
        "DUESK": {"S": due(int(now) + 400)},
    }
    items.put_raw([account, counter])

    assert sweep.handler({}, None)["holds"] == 0
    assert plane.books_unexplained().holds
    monkeypatch.setattr(time, "time", lambda: now + 1_000)
    assert sweep.handler({}, None)["holds"] == 1

    (record,) = plane.books().records
    assert (record["outcome"], record["key_id"], record["cost_usd"], record["credits_charged"]) == (
        "interrupted",
        "k",
        1,
        1,
    )
