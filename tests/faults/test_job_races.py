"""Jobs that many end at once, on a real engine: each is charged once, and the ledger explains the balance (Q-17)."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.support import build, jobs
from tests.support.accounts import TEAM, balance, ledger
from tests.support.api import call
from tests.support.books import books
from tests.support.items import partition
from tests.support.races import at_once, persistently
from tollgate.core.errors import TollgateError, WrongStateError
from tollgate.jobs.model import CompleteJob, UpdateJobMetadata
from tollgate.jobs.service import job_service
from tollgate.table import keys

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("table")]

ADMIN = build.owner()
COMPLETED = CompleteJob(status="completed")


@pytest.fixture(autouse=True)
def team(table: None) -> None:
    build.organization()
    build.team(credits_allocated=100)


def complete(job_id: str) -> Any:
    """As a caller who asks again where somebody else was quicker: it changes nothing once the job is completed."""
    return persistently(lambda _: job_service().complete(ADMIN, job_id, COMPLETED))(None)


def deductions() -> Counter[str]:
    """How often each job was charged."""
    return Counter(entry["job_id"] for entry in ledger(TEAM) if entry["transaction_type"] == "deduction")


def test_fifty_who_complete_one_job_charge_it_once() -> None:
    job_id = jobs.with_calls(cost="0.03")
    answers = at_once(complete, [job_id] * 50)
    assert not [answer for answer in answers if isinstance(answer, TollgateError)]
    assert {answer.model_dump_json() for answer in answers} == {answers[0].model_dump_json()}
    assert deductions() == {job_id: 1}
    assert (balance(TEAM)["credits_used"], balance(TEAM)["credits_reserved"]) == (1, 0)
    books("acme-dev").explain_balance()


@pytest.mark.parametrize("shards", [1, 3])
def test_thirty_jobs_of_one_account_are_all_charged(shards: int) -> None:
    call("PUT", "/api/teams/acme-dev", {"account_shards": shards})
    made = [jobs.with_calls(cost="0.03", shard=number % shards) for number in range(30)]
    answers = at_once(complete, made)
    assert not [answer for answer in answers if isinstance(answer, TollgateError)], answers
    assert deductions() == dict.fromkeys(made, 1)
    entries = ledger(TEAM)[::-1]
    # One sequence: each begins where the one before it has ended.
    assert [entry["credits_before"] for entry in entries[1:]] == [entry["credits_after"] for entry in entries[:-1]]
    assert entries[-1]["credits_after"] == balance(TEAM)["credits_remaining"] == 70
    books("acme-dev").explain_balance()


def test_jobs_without_calls_never_take_what_is_not_there() -> None:
    made = [build.job()["job_id"] for _ in range(20)]
    call("POST", "/api/credits/adjust", TEAM | {"amount": -92, "reason": "test"})
    answers = at_once(complete, made)
    assert not [answer for answer in answers if isinstance(answer, TollgateError)], answers
    assert sum(answer.credit_applied for answer in answers) == len(deductions()) == 8
    assert balance(TEAM)["credits_remaining"] == 0
    books("acme-dev").explain_balance()


def test_of_different_ends_one_holds() -> None:
    made = [jobs.with_calls(cost="0.03") for _ in range(8)]

    def end(ending: tuple[str, str]) -> Any:
        job_id, how = ending
        if how == "cancelled":
            return job_service().cancel(ADMIN, job_id)
        return job_service().complete(ADMIN, job_id, CompleteJob.model_validate({"status": how}))

    endings = [(job_id, how) for job_id in made for how in ("completed", "failed", "cancelled")]
    answers = at_once(persistently(end), endings)
    charged = 0
    for job_id in made:
        ends = [answer for answer, (of, _) in zip(answers, endings, strict=True) if of == job_id]
        (won,) = [answer for answer in ends if not isinstance(answer, TollgateError)]
        refused = [answer for answer in ends if isinstance(answer, TollgateError)]
        assert [(type(one), one.message) for one in refused] == [(WrongStateError, f"Job is {won.status}")] * 2
        assert jobs.get(job_id)["status"] == won.status
        assert won.credit_applied == (won.status == "completed")
        charged += won.credit_applied
    assert len(deductions()) == charged
    assert (balance(TEAM)["credits_used"], balance(TEAM)["credits_reserved"]) == (charged, 0)
    books("acme-dev").explain_balance()


def test_a_call_that_begins_or_a_completion_one_of_both() -> None:
    """A reservation in the job's counter, as the money path makes it, against the end of the job."""
    made = [jobs.with_calls(cost="0.03") for _ in range(10)]
    item = {job_id: partition(keys.account(job_id))[0] for job_id in made}

    def act(what: tuple[str, bool]) -> Any:
        job_id, begins = what
        if not begins:
            return complete(job_id)
        return jobs.reserve(job_id, calls=int(item[job_id]["cn"]))

    acts = [(job_id, begins) for job_id in made for begins in (True, False)]
    answers = dict(zip(acts, at_once(act, acts), strict=True))
    for job_id in made:
        reserved, ended = answers[job_id, True], answers[job_id, False]
        assert reserved is isinstance(ended, WrongStateError)
        assert ("cl" in jobs.counter(job_id)) is not reserved


def test_all_who_merge_metadata_are_in_it() -> None:
    job_id = build.job()["job_id"]

    def merge(number: int) -> Any:
        return job_service().update_metadata(ADMIN, job_id, UpdateJobMetadata(metadata={f"k{number}": number}))

    answers = at_once(persistently(merge), range(10))
    assert not [answer for answer in answers if isinstance(answer, TollgateError)]
    assert jobs.get(job_id)["metadata"] == {f"k{number}": number for number in range(10)}


def test_exact_sums_of_consumption() -> None:
    call("PUT", "/api/teams/acme-dev", {"budget_mode": "consumption_usd", "credits_per_dollar": 100})
    made = [jobs.with_calls(cost="0.07", promised="7") for _ in range(10)]
    answers = at_once(complete, made)
    assert [answer.credits_charged for answer in answers] == [Decimal(7)] * 10
    assert balance(TEAM)["credits_remaining"] == 30
    books("acme-dev").explain_balance()
