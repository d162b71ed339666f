"""A table that throttles, fails, or does what it was told and does not say so: nothing lost, nothing double."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.proxy.plane import MODEL, Plane, cost, error
from tests.support import build
from tests.support.environment import engine
from tests.support.upstream import answer, refuse, usage
from tollgate.aws import dynamodb
from tollgate.aws.dynamodb import DynamoDB
from tollgate.models.model import UpdateModelAlias
from tollgate.models.service import model_service
from workers import sweep

USED = usage(100, 10)
BUSY = error(503, "store_unavailable", "The data store did not answer; try again")
# The four steps of a call, told by what they send.
STEPS: dict[str, Callable[[str], bool]] = {
    "read": lambda sent: "RequestItems" in sent,
    "reserve": lambda sent: "h.#id = :hold" in sent,
    "record": lambda sent: "attribute_not_exists(PK)" in sent,
    "settle": lambda sent: "cn = cn + :one" in sent,
    "release": lambda sent: "REMOVE h.#id" in sent and "cn = cn + :one" not in sent,
}
ONCE, ALWAYS = 1, 1_000


class Faults:
    """Answers of the table that go wrong, as often as they are told to."""

    def __init__(self) -> None:
        self._planned: list[tuple[Callable[[str], bool], str, int]] = []
        self.seen = 0
        self._cut: list[bytes] = []

    def cut(self, body: bytes) -> None:
        self._cut.append(body)

    def deliver_late(self) -> None:
        """What was cut off arrives after all, past the client."""
        table = engine.client("dynamodb")
        for body in self._cut:
            table.update_item(**json.loads(body))

    def at(self, step: str, what: str, times: int = ONCE) -> None:
        """``what``: an error's name, ``500``, ``lost`` (done, not told), ``cut`` (neither done nor told)."""
        self._planned.append((STEPS[step], what, times))

    def take(self, sent: str) -> str | None:
        for number, (fits, what, times) in enumerate(self._planned):
            if times and fits(sent):
                self._planned[number] = (fits, what, times - 1)
                self.seen += 1
                return what
        return None


@pytest.fixture
def faults(plane: Plane, team: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Faults:
    planned = Faults()
    real = DynamoDB._post

    async def post(self: DynamoDB, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        match planned.take(body.decode()):
            case None:
                return await real(self, target, body)
            case "lost":
                await real(self, target, body)
                raise TimeoutError
            case "cut":
                planned.cut(body)
                raise TimeoutError
            case "500":
                return 500, {"__type": "com.amazonaws#InternalServerError"}
            case name:
                return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": "no"}

    monkeypatch.setattr(DynamoDB, "_post", post)
    # No waiting between attempts.
    monkeypatch.setattr(dynamodb.random, "uniform", lambda *_: 0)
    plane.provider.does(MODEL, answer(used=USED))
    return planned


def _swept(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    later = time.time() + 3600
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: later)
        return sweep.handler({}, None)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("step", ["read", "reserve", "record", "settle"])
@pytest.mark.parametrize(
    "what",
    [
        "lost",
        "cut",
        "500",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "TransactionConflictException",
    ],
)
def test_once_makes_no_difference(plane: Plane, faults: Faults, what: str, step: str, *, streamed: bool) -> None:
    faults.at(step, what)
    faults.at(step, what)

    response = plane.chat(stream=streamed)

    assert (response.status_code, faults.seen) == (200, 2)
    record = plane.record()
    assert (record["outcome"], record["cost_usd"]) == ("success", cost(100, 10))
    assert plane.books().available == 1000 - cost(100, 10)


def test_no_read_is_a_retryable_error(plane: Plane, faults: Faults) -> None:
    faults.at("read", "500", ALWAYS)
    response = plane.chat()
    assert (response.status_code, response.json()) == (503, BUSY)
    assert response.headers["retry-after"] == "1"
    found = plane.books()
    assert (found.holds, found.records, plane.provider.calls) == ({}, [], [])


def test_unprocessed_keys_are_asked_for_again(
    plane: Plane, team: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, held_back = DynamoDB._post, []

    async def post(self: DynamoDB, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        status, found = await real(self, target, body)
        if target.endswith("BatchGetItem") and not held_back:
            (table,) = found["Responses"]
            held_back.append(found["Responses"][table].pop())
            keys = [{name: held_back[0][name] for name in ("PK", "SK")}]
            found["UnprocessedKeys"] = {table: {"Keys": keys, "ConsistentRead": True}}
        return status, found

    monkeypatch.setattr(DynamoDB, "_post", post)
    plane.provider.does(MODEL, answer(used=USED))
    assert plane.chat().status_code == 200
    assert len(held_back) == 1


@pytest.mark.parametrize("what", ["lost", "cut"])
def test_an_uncertain_reservation_is_released(plane: Plane, faults: Faults, what: str) -> None:
    faults.at("reserve", what, 6)
    response = plane.chat()
    assert (response.status_code, response.json()) == (503, BUSY)
    found = plane.books()
    assert (found.available, found.holds, found.records, plane.provider.calls) == (1000, {}, [], [])


def test_a_reservation_that_cannot_be_released_is_still_the_same_error(
    plane: Plane, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults.at("reserve", "lost", 6)
    faults.at("release", "cut", 6)
    response = plane.chat()
    assert (response.status_code, response.json()) == (503, BUSY)
    assert len(plane.books_unexplained().holds) == 1
    assert _swept(monkeypatch)["holds"] == 1
    found = plane.books()
    assert (found.available, found.holds, found.records) == (1000, {}, [])


@pytest.mark.parametrize("settled", [True, False])
def test_a_reservation_that_arrives_after_its_call_is_worth_nothing(
    plane: Plane, faults: Faults, monkeypatch: pytest.MonkeyPatch, *, settled: bool
) -> None:
    """A copy that was stuck in the network: the call went on under another id, or was refused."""
    faults.at("reserve", "cut", ONCE if settled else ALWAYS)
    response = plane.chat()
    assert response.status_code == (200 if settled else 503)

    faults.deliver_late()

    assert len(plane.books_unexplained().holds) == (1 if settled else 4)
    assert _swept(monkeypatch)["accounts"] == 1
    found = plane.books()
    assert found.holds == {}
    assert found.available == 1000 - (cost(100, 10) if settled else 0)
    assert len(found.records) == int(settled)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("step", "outcome"), [("settle", "success"), ("record", "interrupted")])
def test_an_answer_that_cannot_be_settled_is_given_and_settled_later(
    plane: Plane, faults: Faults, monkeypatch: pytest.MonkeyPatch, step: str, outcome: str, *, streamed: bool
) -> None:
    faults.at(step, "cut", 6)

    response = plane.chat(stream=streamed)

    assert response.status_code == 200
    assert "Hello" in response.text
    assert "x-tollgate-credits-remaining" not in response.headers
    assert len(plane.books_unexplained().holds) == 1
    assert _swept(monkeypatch) == {"accounts": 1, "holds": 1}
    record = plane.record()
    assert record["outcome"] == outcome
    assert record["credits_charged"] == (cost(100, 10) if outcome == "success" else record["credits_reserved"])
    assert _swept(monkeypatch) == {"accounts": 0, "holds": 0}


def test_a_failure_that_cannot_be_settled_is_still_told(
    plane: Plane, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane.provider.does(MODEL, refuse(422, message="no"))
    faults.at("settle", "cut", 6)
    response = plane.chat()
    assert (response.status_code, response.json()) == (422, error(422, "invalid_request_error", "no"))
    assert _swept(monkeypatch)["holds"] == 1
    record = plane.record()
    assert (record["outcome"], record["credits_charged"]) == ("failed", 0)


def test_the_sweeper_was_quicker(plane: Plane, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is thought dead and comes back: it is charged once, as the first record says."""
    with plane.in_flight(answer(used=USED)):
        assert _swept(monkeypatch) == {"accounts": 1, "holds": 1}
    record = plane.record()
    assert (record["outcome"], record["credits_charged"]) == ("interrupted", record["credits_reserved"])


def test_a_catalogue_read_while_it_is_written_is_read_again(
    plane: Plane, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query over several pages may show old aliases beside the new version: that must not be kept."""
    real, changed = DynamoDB.query, []

    async def query(self: DynamoDB, payload: dict[str, Any]) -> list[Any]:
        before = await real(self, payload)
        if not changed:
            renamed = UpdateModelAlias(litellm_model="openai/renamed")
            changed.append(model_service().update(build.owner(), "fast", renamed).litellm_model)
            after = await real(self, payload)
            before = [item for item in before if item["SK"]["S"] != "VERSION"]
            before += [item for item in after if item["SK"]["S"] == "VERSION"]
        return before

    monkeypatch.setattr(DynamoDB, "query", query)
    plane.provider.does("renamed", answer(used=USED))
    assert [plane.chat().status_code for _ in range(2)] == [200, 200]
    assert changed == ["openai/renamed"]
    assert [received.body["model"] for received in plane.provider.calls] == [MODEL, "renamed"]
