"""What jobs are charged: the worked examples of the contract, and where the credits come from and go to (Q-17)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.support import build, jobs
from tests.support.accounts import ORGANIZATION, TEAM, add, balance, configure, ledger, stored, uid_of
from tests.support.api import call, problem
from tests.support.books import books
from tests.support.clock import FakeClock
from tests.support.items import partition
from tollgate.table import keys


@pytest.fixture(autouse=True)
def team(empty_table: None, clock: FakeClock) -> None:
    build.organization()
    build.team(credits_allocated=100)


def settings(**fields: Any) -> None:
    answer = call("PUT", "/api/teams/acme-dev", fields)
    assert answer.status == 200, answer.text


def account(owner: dict[str, str] = TEAM) -> tuple[float, float, float]:
    """Credits used, remaining and reserved."""
    now = balance(owner)
    return now["credits_used"], now["credits_remaining"], now["credits_reserved"]


def charge(job_id: str, status: str = "completed") -> tuple[bool, float, float]:
    """How the job ended: whether it was charged, how much, and what went unbilled."""
    answer = jobs.end(job_id, status)
    assert answer.status == 200, answer.text
    ended = answer.body
    assert ended["credits_reserved"] == 0
    assert ended["costs"]["credit_applied"] == ended["credit_applied"]
    return ended["credit_applied"], ended["credits_charged"], ended["unbilled_cost_usd"]


USD, TOKENS = "consumption_usd", "consumption_tokens"


@pytest.mark.parametrize(
    ("mode", "rate", "cost", "tokens", "credits"),
    [
        ("job_based", None, "0.01", 1, 1),
        ("job_based", None, "250", 10**9, 1),
        (USD, None, "0.034", 1, 1),
        (USD, None, "0.152", 1, 2),
        (USD, None, "0.05", 1, 1),
        (USD, None, "1.00", 1, 10),
        (USD, 20, "0.10", 1, 2),
        # A float makes 7.000000000000001 of it, and 8 of that.
        (USD, 100, "0.07", 1, 7),
        (USD, 100, "0.070000000001", 1, 8),
        (USD, None, "0", 0, 1),
        (TOKENS, None, "0.01", 8_500, 1),
        (TOKENS, None, "0.01", 45_000, 5),
        (TOKENS, None, "0.01", 10_000, 1),
        (TOKENS, None, "0.01", 10_001, 2),
        (TOKENS, 5_000, "0.01", 15_000, 3),
    ],
)
def test_worked_examples(mode: str, rate: int | None, cost: str, tokens: int, credits: int) -> None:
    settings(
        budget_mode=mode,
        **({} if rate is None else {"credits_per_dollar" if mode == USD else "tokens_per_credit": rate}),
    )
    job_id = jobs.with_calls(cost=cost, tokens=tokens, promised=str(credits))
    assert account() == (0, 100, credits)
    assert charge(job_id) == (True, credits, 0)
    assert account() == (credits, 100 - credits, 0)
    books("acme-dev").explain_balance()


def test_the_ledger_tells_the_charge() -> None:
    job_id = jobs.with_calls(cost="0.03")
    ended = jobs.end(job_id).body
    assert ended["costs"]["credits_remaining"] == 99
    entry, _ = ledger(TEAM)
    assert entry | {"transaction_id": "", "timestamp": "", "created_at": ""} == {
        "transaction_id": "",
        "team_id": "acme-dev",
        "organization_id": "org_acme",
        "job_id": job_id,
        "call_id": None,
        "related_transaction_id": None,
        "transaction_type": "deduction",
        "credits_amount": -1,
        "credits_before": 100,
        "credits_after": 99,
        "reason": "Job resume completed successfully",
        "created_at": "",
        "type": "deduction",
        "amount": 1,
        "description": "Job resume completed successfully",
        "timestamp": "",
        "balance_after": 99,
    }


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_what_is_not_completed_is_not_charged(status: str) -> None:
    job_id = jobs.with_calls(cost="0.03", promised="3")
    assert charge(job_id, status) == (False, 0, 0.03)
    assert account() == (0, 100, 0)
    assert len(ledger(TEAM)) == 1
    books("acme-dev").explain_balance()


def test_one_failed_call_makes_a_job_free_unless_the_team_pays_for_those() -> None:
    first, second = (jobs.with_calls(cost="0.03") for _ in range(2))
    for job_id in (first, second):
        jobs.settled(job_id, cost="0", tokens=0, promised="0", failed=True)
    assert charge(first) == (False, 0, 0.03)
    assert jobs.get(first)["status"] == "completed"
    settings(charge_failed_jobs=True)
    assert charge(second) == (True, 1, 0)
    assert build.team_details()["charge_failed_jobs"] is True
    settings(charge_failed_jobs=None)
    assert build.team_details()["charge_failed_jobs"] is False


def test_a_job_without_calls_is_charged_when_it_is_completed() -> None:
    assert charge(build.job()["job_id"]) == (True, 1, 0)
    assert charge(build.job()["job_id"], "failed") == (False, 0, 0)
    assert account() == (1, 99, 0)


def test_completing_never_fails_for_credits() -> None:
    first, second = build.job()["job_id"], jobs.with_calls(cost="0.02", promised="0")
    call("POST", "/api/credits/adjust", TEAM | {"amount": -99.5, "reason": "test"})
    assert charge(first) == (False, 0, 0)
    assert charge(second) == (False, 0, 0.02)
    assert jobs.get(second)["costs"]["credits_remaining"] == 0.5
    assert account() == (0, 0.5, 0)


def test_what_a_job_was_promised_too_much_comes_back() -> None:
    settings(budget_mode=USD)
    job_id = jobs.with_calls(cost="0.25", promised="10")
    assert charge(job_id) == (True, 3, 0)
    assert account() == (3, 97, 0)
    assert stored(TEAM)["av"] == 97


def test_what_it_was_not_promised_is_taken_if_it_is_there() -> None:
    """The mode was changed while the job was open."""
    first, second = jobs.with_calls(cost="5.01"), jobs.with_calls(cost="5.01")
    settings(budget_mode=USD)
    assert charge(first) == (True, 51, 0)
    assert account() == (51, 49, 1)
    assert charge(second) == (False, 0, 5.01)
    assert account() == (51, 49, 0)
    books("acme-dev").explain_balance()


@pytest.mark.parametrize("mode", ["soft", "unlimited"])
def test_an_account_that_may_be_overdrawn_pays(mode: str) -> None:
    configure(TEAM, limit_mode=mode)
    settings(budget_mode=USD)
    assert charge(jobs.with_calls(cost="12", promised="0")) == (True, 120, 0)
    now = balance(TEAM)
    assert (now["credits_remaining"], now["overage"]) == (-20, 20)


def test_the_organization_pays_where_it_is_set_so() -> None:
    add(ORGANIZATION, 50)
    settings(credits_source="organization")
    job_id = jobs.with_calls(cost="0.03", payer=ORGANIZATION)
    assert account(ORGANIZATION) == (0, 50, 1)
    # Whoever the first call found pays, whatever was changed since.
    settings(credits_source="team")
    assert charge(job_id) == (True, 1, 0)
    assert (account(ORGANIZATION), account()) == ((1, 49, 0), (0, 100, 0))
    assert ledger(ORGANIZATION)[0]["job_id"] == job_id


def test_an_overdrawn_organization_gets_its_account_with_the_first_charge() -> None:
    configure(ORGANIZATION, limit_mode="unlimited")
    settings(credits_source="organization")
    assert charge(build.job()["job_id"]) == (True, 1, 0)
    assert account(ORGANIZATION) == (1, -1, 0)


def test_where_nobody_pays_nothing_goes_unbilled() -> None:
    settings(credits_source="none")
    job_id = jobs.with_calls(cost="0.03", promised="0")
    assert charge(job_id) == (False, 0, 0)
    assert jobs.get(job_id)["costs"]["credits_remaining"] is None
    assert account() == (0, 100, 0)


def test_a_hot_account_pays_from_any_shard() -> None:
    settings(account_shards=3)
    job_id = jobs.with_calls(cost="0.03", promised="2", shard=2)
    jobs.settled(job_id, cost="0.03", promised="1", shard=1)
    assert account() == (0, 100, 3)
    assert charge(job_id) == (True, 1, 0)
    assert account() == (1, 99, 0)
    books("acme-dev").explain_balance()


def test_a_hot_account_gives_what_it_has_anywhere() -> None:
    settings(account_shards=2, budget_mode=USD)
    job_id = jobs.with_calls(cost="9.9", promised="0")
    client_items = [item for item in partition(keys.account(uid_of(TEAM))) if item["SK"].startswith("HOT#")]
    assert sum((item["av"] for item in client_items), Decimal(0)) == 100
    jobs._add(uid_of(TEAM), 0, {"av": -60})
    jobs._add(uid_of(TEAM), 1, {"av": 60})
    assert charge(job_id) == (True, 99, 0)
    left = [item["av"] for item in partition(keys.account(uid_of(TEAM))) if item["SK"].startswith("HOT#")]
    assert sum(left) == 1
    assert min(left) >= 0


def ceiling(clock: FakeClock) -> Decimal | None:
    """What the account's ceiling has counted this month."""
    counted = {name: value for name, value in stored(TEAM).items() if name.startswith("c1mo@")}
    return counted.get(max(counted)) if counted else None


def test_the_ceiling_of_an_account_counts_what_jobs_are_charged(clock: FakeClock) -> None:
    configure(TEAM, credit_limit=5, refill_period="monthly")
    settings(budget_mode=USD)
    assert charge(jobs.with_calls(cost="0.4", promised="0")) == (True, 4, 0)
    assert ceiling(clock) == 4
    assert charge(jobs.with_calls(cost="0.2", promised="0")) == (False, 0, 0.2)
    assert ceiling(clock) == 4
    # A promise has been counted when it was made; what is not charged of it comes off again.
    job_id = jobs.with_calls(cost="0.1", promised="3")
    name = next(name for name in stored(TEAM) if name.startswith("c1mo@"))
    client_add(name, 3)
    assert charge(job_id) == (True, 1, 0)
    assert ceiling(clock) == 5


def client_add(name: str, number: int) -> None:
    from tests.support.environment import TABLE, engine

    engine.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"PK": {"S": keys.account(uid_of(TEAM))}, "SK": {"S": keys.counter()}},
        UpdateExpression="ADD #c :n",
        ExpressionAttributeNames={"#c": name},
        ExpressionAttributeValues={":n": {"N": str(number)}},
    )


def test_a_deduction_for_a_job_can_be_refunded_once() -> None:
    jobs.end(jobs.with_calls(cost="0.03"))
    refund = TEAM | {"transaction_id": ledger(TEAM)[0]["transaction_id"], "reason": "wrong answer"}
    assert call("POST", "/api/credits/refund", refund).status == 200
    assert account() == (0, 100, 0)
    assert call("POST", "/api/credits/refund", refund).body["code"] == "already_refunded"


def test_a_refunded_job_is_not_charged_any_more() -> None:
    build.team("refunded", credits_allocated=10)
    job_id = build.job("refunded")["job_id"]
    asked = {"team_id": "refunded", "job_id": job_id, "reason": "it failed after all"}
    early = call("POST", "/api/credits/refund", asked)
    assert early.body == problem(409, "not_charged", "Nothing was charged")
    assert call("POST", f"/api/jobs/{job_id}/complete", {"status": "completed"}).body["credit_applied"] is True

    entry = call("POST", "/api/credits/refund", asked).body

    assert (entry["transaction_type"], entry["credits_amount"], entry["job_id"]) == ("refund", 1, job_id)
    assert call("GET", f"/api/jobs/{job_id}").body["credit_applied"] is False
    assert call("GET", "/api/credits/balance", query={"team_id": "refunded"}).body["credits_remaining"] == 10
    again = call("POST", "/api/credits/refund", asked)
    assert again.body == problem(409, "already_refunded", "It was refunded before")
    unknown = call("POST", "/api/credits/refund", asked | {"job_id": "nope"})
    assert unknown.body == problem(404, "not_found", "Job not found")
