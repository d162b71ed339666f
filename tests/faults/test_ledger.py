"""Invariant 3 where many move credits at once, and what happens once however often it is asked for or cut short."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from botocore.client import BaseClient
from pydantic import BaseModel

from tests.support import build, races
from tests.support.accounts import (
    ORGANIZATION,
    TEAM,
    add,
    balance,
    configure,
    figures,
    ledger,
    recorded_call,
    spend,
    stored,
)
from tests.support.books import books
from tests.support.clock import FakeClock
from tests.support.items import all_items, organization_counts
from tests.support.proxy import chat, proxy_client
from tests.support.races import at_once
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.errors import InsufficientCreditsError, ReservedError, WrongStateError
from tollgate.credits.model import (
    AddCredits,
    AdjustCredits,
    CreditsTransferred,
    Direction,
    OfAccount,
    RefundCredits,
    TransferCredits,
)
from tollgate.credits.movements import movement_service
from tollgate.credits.refill import refill_service
from tollgate.credits.service import credit_service
from tollgate.table.base import Item
from tollgate.table.idempotency import Once

pytestmark = pytest.mark.engine

MOVERS = 50
CALLS = 100
TEAMS = ("acme-dev", "acme-prod")
# Somebody else was quicker, or calls hold the credits: asked again under the same key.
PASSING = (*races.PASSING, ReservedError)


ADMIN = Principal("admin", ActorKind.PLATFORM, platform_role=Role.PLATFORM_OWNER)
# Handlers serve one request at a time; services any number.
Request = Callable[[Once | None], object]


def _movement(seed: int) -> Request:
    """A random movement."""
    chosen = random.Random(seed)
    team = chosen.choice(TEAMS)
    amount = Decimal(chosen.randrange(1, 20)) / 4
    match chosen.randrange(5):
        case 0:
            return _adding(OfAccount(team_id=team), chosen.randrange(1, 9))
        case 1:
            return _adding(OfAccount(organization_id="org_acme"), chosen.randrange(1, 9))
        case 2:
            adjustment = AdjustCredits(team_id=team, amount=chosen.choice([amount, -amount]), reason="storm")
            return lambda once: movement_service().adjust(ADMIN, adjustment, once)
        case turn:
            direction = Direction.TO_TEAM if turn == 3 else Direction.TO_ORGANIZATION
            transfer = TransferCredits(team_id=team, amount=amount, direction=direction)
            return lambda once: movement_service().transfer(ADMIN, transfer, once)


def _adding(owner: OfAccount, amount: int) -> Request:
    request = AddCredits(**owner.model_dump(), amount=amount)
    return lambda once: credit_service().add(ADMIN, request, once)


def _moved(seed: int) -> object:
    """One random movement, asked for under one key until it is answered for good: its answer or its refusal."""
    move, once = _movement(seed), Once(str(seed), "body")
    while True:
        try:
            return move(once)
        except PASSING:
            continue
        except InsufficientCreditsError as refusal:
            return refusal


async def _calls(key: str) -> None:
    async with proxy_client(key) as client:
        limit = asyncio.Semaphore(8)

        async def one() -> int:
            async with limit:
                return (await chat(client, "priced", "one two three", max_tokens=5)).status_code

        assert 200 in await asyncio.gather(*(one() for _ in range(CALLS)))


def test_movements_and_calls_at_once_leave_the_ledger_equal_to_the_balances(table: None) -> None:
    build.organization()
    build.alias("priced", "local/echo", pricing_input="100", pricing_output="500", context_window=100)
    build.access_group("priced-models", model_aliases=["priced"])
    secret = [build.team(team, access_groups=["priced-models"], credits_allocated=40)["virtual_key"] for team in TEAMS]
    add(ORGANIZATION, 100)

    with ThreadPoolExecutor(MOVERS + 2) as pool:
        calling = [pool.submit(asyncio.run, _calls(key)) for key in secret]
        answers = list(pool.map(_moved, range(MOVERS)))
        for calls in calling:
            calls.result()

    done = [answer for answer in answers if not isinstance(answer, InsufficientCreditsError)]
    assert len(done) > MOVERS / 2
    for team in TEAMS:
        state = books(team)
        state.explain_balance()
        assert (state.holds, len({entry["transaction_id"] for entry in state.ledger})) == ({}, len(state.ledger))
    assert stored(ORGANIZATION)["av"] == sum(Decimal(str(e["credits_amount"])) for e in ledger(ORGANIZATION))
    lines = [item for item in all_items() if item["kind"] == "transaction"]
    assert sum(line["credits_amount"] for line in lines if line["transaction_type"].startswith("transfer")) == 0
    allocated = [stored({"team_id": team})["al"] for team in TEAMS]
    assert organization_counts() == (2, 2, sum(allocated))
    booked = sum(2 if isinstance(answer, CreditsTransferred) else 1 for answer in done)
    assert len(lines) == 3 + booked
    entries = Counter(line["PK"] for line in lines)
    assert entries == {item["PK"]: item["sq"] for item in all_items() if item["kind"] == "account"}


def test_a_refund_asked_for_twenty_times_at_once_is_booked_once(table: None) -> None:
    build.organization()
    build.team(credits_allocated=10)
    call_id = recorded_call(TEAM, "0.75")
    spend(TEAM, "0.75")
    request = RefundCredits(team_id="acme-dev", call_id=call_id, reason="interrupted")

    answers = at_once(lambda _: movement_service().refund(ADMIN, request), range(20))

    refusals = Counter(answer.stable_code for answer in answers if isinstance(answer, WrongStateError))
    assert refusals == {"already_refunded": 19}
    assert figures(TEAM) == (10, 0, 10)
    assert [entry["transaction_type"] for entry in ledger(TEAM)] == ["refund", "allocation"]


@pytest.mark.parametrize("path", ["add", "transfer"])
def test_a_key_sent_twenty_times_at_once_is_booked_once(table: None, path: str) -> None:
    build.organization()
    build.team(credits_allocated=10)
    once = Once("a", "body")
    adding = AddCredits(team_id="acme-dev", amount=4)
    moving = TransferCredits(team_id="acme-dev", amount=Decimal(4), direction=Direction.TO_ORGANIZATION)

    def ask(_: int) -> BaseModel:
        if path == "add":
            return credit_service().add(ADMIN, adding, once)
        return movement_service().transfer(ADMIN, moving, once)

    answers = [answer.model_dump_json() for answer in at_once(ask, range(20)) if isinstance(answer, BaseModel)]

    assert answers == [answers[0]] * 20
    assert len(ledger(TEAM)) == 2
    assert figures(TEAM) == ((14, 0, 14) if path == "add" else (6, 0, 6))


def _own_process(work: Callable[[], object]) -> int:
    """Runs it in a process of its own, with a connection of its own; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        Item._get_connection().connection._client = None  # type: ignore[assignment]
        work()
    finally:
        os._exit(0)


def _kill_at(step: int) -> None:
    """Kills this process at its ``step``-th request to the table: just before it is sent, or just after its answer."""
    real, passed = BaseClient._make_api_call, 0

    def tick() -> None:
        nonlocal passed
        passed += 1
        if passed == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        tick()
        answer = real(client, operation, parameters)
        tick()
        return answer

    BaseClient._make_api_call = counted


@pytest.mark.filterwarnings("ignore:This process")
def test_a_refill_comes_once_however_many_run_and_die(table: None, clock: FakeClock) -> None:
    build.organization()
    owners = [ORGANIZATION, *({"team_id": build.team(f"acme-{number}")["team_id"]} for number in range(11))]
    for owner in owners:
        configure(owner, auto_refill=True, refill_amount=100, refill_period="monthly")
    clock.now = datetime(2026, 4, 1, 12, tzinfo=UTC)

    def run(seed: int) -> None:
        if seed % 2:
            _kill_at(random.Random(seed).randrange(1, 60))
        refill_service().run()

    ended: Counter[int] = Counter()
    for wave in range(3):
        pids = [_own_process(lambda seed=wave * 8 + number: run(seed)) for number in range(8)]  # type: ignore[misc]
        ended.update(os.waitpid(pid, 0)[1] for pid in pids)
    assert set(ended) == {0, signal.SIGKILL}
    assert refill_service().run().failed == 0

    for owner in owners:
        assert figures(owner) == (100, 0, 100)
        assert [entry["reason"] for entry in ledger(owner)] == ["Auto-refill: monthly"]
        assert balance(owner)["next_refill_at"] == "2026-05-01T00:00:00Z"
    assert organization_counts() == (11, 11, 1100)
