"""What is known to go wrong with gateways like this one, each as a test of its own.

Every docstring names the threads in which people told of it; those without a repository are BerriAI/litellm's.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from local.testing import serving
from proxy.app import app
from tests.proxy.plane import MODEL, Plane, cost, question
from tests.support import build, upstream
from tests.support.api import call
from tests.support.calls import counted
from tests.support.counters import counters
from tests.support.items import raw_items
from tests.support.proxy import forget_catalogues, live_app, proxy_client
from tests.support.upstream import FakeProvider, after, answer, chunk, endless, eventually, refuse, stream, usage
from tollgate.auth.credentials import key_id_of
from tollgate.aws.dynamodb import DynamoDB
from tollgate.core.money import strip
from workers import sweep

USED = usage(100, 50)
COST = strip(cost(100, 50))
DAY = 86_400
ONCE_A_DAY = {"budget_duration": "1d"}
# Scopes of a call as the budget endpoints name them.
IDS = {
    "team": "acme-dev",
    "organization": "org_acme",
    "user": "jo",
    "team-member": "acme-dev~jo",
    "organization-member": "org_acme~jo",
    "customer": "customer-1",
    "tag": "blue",
    "platform": "platform",
}


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with upstream.running() as running:
        yield running


@pytest.fixture(scope="module")
def data_plane() -> Iterator[httpx.Client]:
    with serving(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def plane(noon: None, table: None, data_plane: httpx.Client, provider: FakeProvider) -> Plane:
    """A key of ``jo``, who is in the team and in its organization; a call costs ``COST``."""
    provider.forget()
    forget_catalogues()
    made = Plane(data_plane, provider)
    build.organization()
    made.credential()
    made.alias()
    made.team()
    build.user("jo")
    build.member("organization-member", "org_acme", "jo")
    build.member("team-member", "acme-dev", "jo")
    made.key = build.issued_key("acme-dev", user_id="jo")["virtual_key"]
    provider.does(MODEL, answer(used=USED))
    return made


def _chat(plane: Plane, **fields: Any) -> httpx.Response:
    return plane.chat(**{"max_tokens": 50, "user": "customer-1", "metadata": {"tags": ["blue"]}} | fields)


def _limit(plane: Plane, scope: str, **limits: Any) -> None:
    build.budget(scope, IDS.get(scope) or key_id_of(plane.key), **limits)


def _error(response: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    return error


def _later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)


def _swept(monkeypatch: pytest.MonkeyPatch) -> int:
    with monkeypatch.context() as patch:
        _later(patch, 3600)
        return sweep.handler({}, None)["holds"]


def _key_call(plane: Plane, method: str, body: Any = None) -> None:
    answered = call(method, f"/api/teams/acme-dev/keys/{key_id_of(plane.key)}", body)
    assert answered.status == 200, answered.text


# Budgets that do not hold.


@pytest.mark.engine
def test_a_budget_is_overshot_by_calls_at_the_same_time(plane: Plane) -> None:
    """#26672, #23714, #34732, theopenco/llmgateway #3705: checked before the call, written after it."""
    build.alias("priced", "local/echo", pricing_input="1000", pricing_output="50000", context_window=100)
    _limit(plane, "user", max_budget=3)

    async def storm() -> Counter[int]:
        async with proxy_client(plane.key) as client:
            calls = [client.post("/v1/chat/completions", json=question("priced", max_tokens=10)) for _ in range(60)]
            return Counter([done.status_code for done in await asyncio.gather(*calls)])

    statuses = asyncio.run(storm())

    assert set(statuses) <= {200, 422, 429}
    assert statuses[200] < 60
    counted = counters("user", "jo")
    assert 0 < counted.spent_usd <= 3
    assert counted.calls == statuses[200]


def test_an_organizations_budget_is_loaded_and_never_checked(plane: Plane) -> None:
    """#17054, #18813: later only for keys that name the organization themselves; ours belong to a team."""
    _limit(plane, "organization", max_budget=0)
    refused = _chat(plane)
    assert (refused.status_code, _error(refused)["scope"]) == (422, "organization")
    assert plane.provider.calls == []


@pytest.mark.parametrize("scope", ["organization", "team", "user", "team-member", "organization-member", "customer"])
def test_a_budget_never_resets(plane: Plane, monkeypatch: pytest.MonkeyPatch, scope: str) -> None:
    """#20532 (organizations blocked for ever), #16057 (members), #5651 (end users), #24675 (teams)."""
    _limit(plane, scope, max_budget=1, **ONCE_A_DAY)
    assert [_chat(plane).status_code for _ in range(5)] == [200] * 5
    # Carries one call more, but not the five before it.
    _limit(plane, scope, max_budget=float(5 * COST + Decimal("0.004")), **ONCE_A_DAY)
    assert _chat(plane).status_code == 422

    _later(monkeypatch, DAY)

    assert _chat(plane).status_code == 200


def test_a_users_budget_is_ignored_on_the_keys_of_a_team(plane: Plane) -> None:
    """#11962, #27394."""
    _limit(plane, "user", max_budget=0)
    refused = _chat(plane)
    assert (refused.status_code, _error(refused)["scope"], _error(refused)["scope_id"]) == (422, "user", "jo")


def test_a_members_budget_is_not_enforced(plane: Plane) -> None:
    """#19105, theopenco/llmgateway #2935."""
    _limit(plane, "team-member", max_budget=0)
    assert _error(_chat(plane))["scope"] == "team-member"


def test_a_member_added_before_the_limit_is_unlimited(plane: Plane) -> None:
    """#25506: the limit was looked up when somebody was added, not when he called."""
    assert _chat(plane).status_code == 200
    _limit(plane, "team-member", max_budget=float(COST))
    refused = _chat(plane)
    assert (refused.status_code, _error(refused)["scope"]) == (422, "team-member")


def test_a_members_rate_is_not_enforced(plane: Plane) -> None:
    """#26378."""
    _limit(plane, "team-member", rpm_limit=0)
    refused = _chat(plane)
    assert (refused.status_code, _error(refused)["scope"], _error(refused)["limit_type"]) == (
        429,
        "team-member",
        "rpm_limit",
    )


def test_another_duration_gives_the_budget_anew(plane: Plane) -> None:
    """#34492: what was spent stays spent, within the window that counts now."""
    _limit(plane, "team", max_budget=1, **ONCE_A_DAY)
    assert _chat(plane).status_code == 200
    _limit(plane, "team", max_budget=float(COST), budget_duration="1mo")
    refused = _chat(plane)
    assert (refused.status_code, _error(refused)["spent"]) == (422, float(COST))


def test_a_budget_for_ever_that_was_one_for_a_day_meanwhile_counts_twice(plane: Plane) -> None:
    """#34492 the other way round: what the old counter and the usage both know is one thing."""
    _limit(plane, "team", max_budget=1)
    assert _chat(plane).status_code == 200
    counted([item for item in raw_items() if item["kind"]["S"] == "call"])
    _limit(plane, "team", max_budget=1, budget_duration="1d")
    _limit(plane, "team", max_budget=float(COST), budget_duration=None)
    refused = _chat(plane)
    assert (refused.status_code, _error(refused)["spent"]) == (422, float(COST))


def test_a_restart_forgets_what_a_model_has_spent(plane: Plane) -> None:
    """#25374: budgets of models lived in memory, one for each process."""
    _limit(plane, "key", model_max_budget={"fast": {"max_budget": 1, "budget_duration": "1d"}})
    assert _chat(plane).status_code == 200
    _limit(plane, "key", model_max_budget={"fast": {"max_budget": float(COST), "budget_duration": "1d"}})

    async def in_another_process() -> httpx.Response:
        async with proxy_client(plane.key) as client:
            return await client.post("/v1/chat/completions", json=question(max_tokens=50))

    refused = asyncio.run(in_another_process())
    assert (refused.status_code, _error(refused)["limit_type"]) == (422, "model_max_budget")


def test_every_worker_has_a_rate_limit_of_its_own(plane: Plane) -> None:
    """LiteLLM's page on Redis: without it, 100 requests a minute on four workers are 400."""
    _limit(plane, "team", tpd_limit=1_000)

    async def in_another_process() -> int:
        async with proxy_client(plane.key) as client:
            return (await client.post("/v1/chat/completions", json=question(max_tokens=50))).status_code

    assert _chat(plane).status_code == 200
    _limit(plane, "team", tpd_limit=150)
    assert asyncio.run(in_another_process()) == 429


def test_nobody_can_tell_which_budget_was_exceeded(plane: Plane) -> None:
    """#14144, #36729, #19105: 400 or 429, and a text in which the figures have to be guessed."""
    _limit(plane, "customer", max_budget=1)
    assert _chat(plane).status_code == 200
    _limit(plane, "customer", max_budget=float(COST))
    refused = _chat(plane)
    told = _error(refused)
    assert (refused.status_code, told["type"]) == (422, "budget_exceeded")
    assert {name: told[name] for name in ("scope", "scope_id", "limit", "limit_type", "spent", "reserved")} == {
        "scope": "customer",
        "scope_id": "customer-1",
        "limit": float(COST),
        "limit_type": "max_budget",
        "spent": float(COST),
        "reserved": 0,
    }


def test_a_refusal_does_not_say_when_to_come_back(plane: Plane) -> None:
    """freellmapi #1158: seconds until the window begins anew."""
    _limit(plane, "key", tpd_limit=0)
    before = time.time()
    refused = _chat(plane)
    assert refused.status_code == 429
    assert DAY - time.time() % DAY <= int(refused.headers["retry-after"]) <= DAY - before % DAY + 1


# Reservations that leak.


def test_reservations_of_dead_calls_refuse_the_living(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """#27639, #28247, #30460: budgets refused by what nobody spends any more."""
    _limit(plane, "team", max_budget=0.016)
    real = DynamoDB.call

    async def dead(self: DynamoDB, operation: str, payload: dict[str, Any], **how: Any) -> dict[str, Any]:
        if operation == "PutItem" or "REMOVE h.#id" in payload.get("UpdateExpression", ""):
            raise RuntimeError("killed")
        return await real(self, operation, payload, **how)

    with monkeypatch.context() as patch:
        _chat(plane)
        patch.setattr(DynamoDB, "call", dead)
        assert plane.post("/chat/completions", question(max_tokens=50), connection="close").status_code == 500
    waiting = _error(_chat(plane))
    assert (waiting["type"], waiting["scope"]) == ("reserved", "team")

    assert _swept(monkeypatch) == 1

    counted = counters("team", "acme-dev")
    assert (counted.holds, counted.calls) == ({}, 2)
    _limit(plane, "team", max_budget=0.05)
    assert _chat(plane).status_code == 200


@pytest.mark.parametrize("ending", ["abort", "failure"])
def test_slots_of_parallel_calls_leak(plane: Plane, ending: str) -> None:
    """A client that hangs up, or a provider that fails, and the slot is never given back."""
    _limit(plane, "key", max_parallel_requests=1)
    plane.provider.does(MODEL, endless() if ending == "abort" else refuse(500))
    if ending == "abort":
        _leave(plane, 3)
    else:
        assert _chat(plane).status_code >= 500
    assert eventually(lambda: _settled(plane) and not counters("key", key_id_of(plane.key)).holds)
    plane.provider.does(MODEL, answer(used=USED))
    assert _chat(plane).status_code == 200


def test_slots_of_a_killed_process_leak(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a process that nobody gave the time to clean up."""
    _limit(plane, "user", max_parallel_requests=1)
    real = DynamoDB.call

    async def dead(self: DynamoDB, operation: str, payload: dict[str, Any], **how: Any) -> dict[str, Any]:
        if operation == "PutItem" and "CALL#" in payload["Item"]["PK"]["S"]:
            raise RuntimeError("killed")
        return await real(self, operation, payload, **how)

    with monkeypatch.context() as patch:
        patch.setattr(DynamoDB, "call", dead)
        assert plane.post("/chat/completions", question(), connection="close").status_code == 500
    assert _error(_chat(plane))["limit_type"] == "max_parallel_requests"
    assert _swept(monkeypatch) == 1
    assert _chat(plane).status_code == 200


def test_a_failed_call_keeps_its_part_of_the_budget(plane: Plane) -> None:
    """#20615, #22726: refused by the budget although next to nothing was spent."""
    _limit(plane, "team", max_budget=0.02)
    plane.provider.does(MODEL, refuse(500))
    for _ in range(5):
        assert _chat(plane).status_code >= 500
    plane.provider.does(MODEL, answer(used=USED))
    assert _chat(plane).status_code == 200
    assert counters("team", "acme-dev").spent_usd == COST


# What counts only after a while.


@pytest.mark.parametrize("what", ["key", "team"])
def test_a_block_is_seen_after_the_cache_expires(plane: Plane, what: str) -> None:
    """#35565, theopenco/llmgateway #1533: the other processes go on for a minute."""
    assert _chat(plane).status_code == 200
    if what == "key":
        _key_call(plane, "PATCH", {"blocked": True})
    else:
        assert call("POST", "/api/teams/acme-dev/pause", {}).status == 200
    assert _chat(plane).status_code in {401, 403}
    assert len(plane.provider.calls) == 1


def test_a_list_of_models_is_stale(plane: Plane) -> None:
    """#9820, #35652: a team's models changed, and its keys called the old ones."""
    assert _chat(plane).status_code == 200
    assert call("PUT", "/api/teams/acme-dev", {"access_groups": ["gpt-models"]}).status == 200
    refused = _chat(plane)
    assert (refused.status_code, _error(refused)["type"]) == (403, "team_model_access_denied")


def test_a_revoked_key_goes_on(plane: Plane) -> None:
    """executor #1870, TykTechnologies/tyk #2293: people expect the very next request to fail."""
    assert _chat(plane).status_code == 200
    _key_call(plane, "DELETE")
    assert _chat(plane).status_code == 401


def test_a_top_up_is_seen_after_half_an_hour(plane: Plane) -> None:
    """opencode #14848."""
    build.team("poor", access_groups=["*"], credits_allocated=0)
    plane.key = build.issued_key("poor")["virtual_key"]
    assert _chat(plane).status_code == 403
    assert call("POST", "/api/credits/add", {"team_id": "poor", "amount": 5}).status == 200
    paid = _chat(plane)
    assert (paid.status_code, paid.headers["x-tollgate-credits-remaining"]) == (200, str(5 - COST))


def test_credits_are_added_twice_when_a_request_is_sent_twice(plane: Plane) -> None:
    """theopenco/llmgateway, payments: a webhook that is delivered again."""
    for _ in range(2):
        added = call(
            "POST",
            "/api/credits/add",
            {"team_id": "acme-dev", "amount": 100},
            headers={"Idempotency-Key": "payment-1"},
        )
        assert added.status == 200, added.text
    assert plane.books().available == 1_100


# Usage that is lost or miscounted.


def test_usage_is_lost_when_the_process_is_shut_down(plane: Plane) -> None:
    """#34805, #33872, theopenco/llmgateway #3041: buffers dropped at every deployment."""
    released = threading.Event()
    plane.provider.does(MODEL, after(released, answer(used=USED)))

    async def shut_down_with_a_call_in_flight() -> None:
        async with live_app() as live:
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(live), base_url="http://proxy", headers=plane.headers()
            )
            task = asyncio.create_task(client.post("/v1/chat/completions", json=question(max_tokens=50)))
            while not plane.provider.calls:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            # A server that is told to stop cancels what runs, then ends the app's lifespan, which waits for the answer.
            task.cancel()
            asyncio.get_running_loop().call_later(0.1, released.set)

    asyncio.run(shut_down_with_a_call_in_flight())

    assert (plane.record()["outcome"], plane.record()["cost_usd"]) == ("success", COST)


def test_a_stream_without_usage_is_free(plane: Plane) -> None:
    """otari #256, ferro-labs #281: providers that tell no usage on streams."""
    plane.provider.does(MODEL, stream(chunk("one "), chunk("two "), chunk("three", finish="stop")))
    assert plane.chat(stream=True).status_code == 200
    record = plane.record()
    assert (record["outcome"], record["estimated"], record["output_tokens"]) == ("success", True, 3)
    assert record["credits_charged"] == cost(int(record["input_tokens"]), 3) > 0


def _leave(plane: Plane, events: int) -> None:
    """Reads some events of a stream and hangs up."""
    with plane.client.stream(
        "POST", "/v1/chat/completions", json=question(stream=True), headers=plane.headers()
    ) as response:
        lines = response.iter_lines()
        for _ in range(2 * events):
            next(lines)


def _settled(plane: Plane) -> bool:
    found = plane.books_unexplained()
    return bool(found.records) and not found.holds


def test_whoever_hangs_up_before_the_usage_chunk_pays_nothing(plane: Plane) -> None:
    """theopenco/llmgateway #3331 (GHSA-724j-f2pf-phf7), OpenRouter's and others' clients made use of it."""
    plane.provider.does(MODEL, endless())
    _leave(plane, 5)
    assert eventually(lambda: _settled(plane))
    record = plane.record()
    assert (record["outcome"], record["detail"]) == ("success", "client_disconnected")
    assert record["credits_charged"] >= cost(0, 5)


def test_the_provider_is_paid_to_the_end_after_the_client_has_left(plane: Plane) -> None:
    """vercel/ai #8325: 13,000 tokens billed of which 300 were read."""
    plane.provider.does(MODEL, endless())
    _leave(plane, 3)
    assert plane.provider.last.left.wait(5)
    assert eventually(lambda: _settled(plane))


def test_a_stream_that_the_provider_broke_off_is_billed(plane: Plane) -> None:
    """theopenco/llmgateway #3505, #3443: 23 dollars for an estimate of an answer that was an error."""
    plane.provider.does(MODEL, stream(chunk("one "), chunk("two "), done=False, then="abort"))
    plane.chat(stream=True)
    record = plane.record()
    assert (record["outcome"], record["detail"], record["credits_charged"]) == ("failed", "upstream_incomplete", 0)


def test_cached_tokens_are_counted_twice(plane: Plane) -> None:
    """theopenco/llmgateway #1857, facility #232: once at their own price, once as part of the input."""
    plane.provider.does(MODEL, answer(used=usage(100, 10, cached=80)))
    assert _chat(plane).status_code == 200
    record = plane.record()
    assert (record["input_tokens"], record["cached_tokens"]) == (100, 80)
    assert record["cost_usd"] == 20 * Decimal("0.00001") + 80 * Decimal("0.000005") + 10 * Decimal("0.00005")


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_without_any_output_is_free(plane: Plane, *, streamed: bool) -> None:
    """theopenco/llmgateway: no cost at all where the completion has no tokens."""
    plane.provider.does(MODEL, answer("", used=usage(100, 0)))
    assert _chat(plane, stream=streamed).status_code == 200
    assert plane.record()["cost_usd"] == cost(100, 0) > 0


def test_a_model_under_the_providers_own_name_has_no_price(plane: Plane) -> None:
    """theopenco/llmgateway: looked up by the base model's name only, and free where that was another one."""
    plane.provider.does("gpt-4o-2024-08-06", answer(used=USED))
    build.alias("dated", "openai/gpt-4o-2024-08-06")
    assert _chat(plane, model="dated").status_code == 200
    record = plane.record()
    assert record["cost_usd"] == strip(100 * Decimal("2.5e-6") + 50 * Decimal("10e-6"))


def test_a_fallback_is_billed_with_what_failed_before_it(plane: Plane) -> None:
    """#34238: the price of the first target, or of both."""
    plane.alias("two", fallbacks=["openai/gpt-4o-mini"])
    plane.provider.does(MODEL, refuse(500))
    plane.provider.does("gpt-4o-mini", answer(used=USED))
    assert _chat(plane, model="two").status_code == 200
    assert plane.record()["cost_usd"] == strip(100 * Decimal("0.15e-6") + 50 * Decimal("0.6e-6"))


def test_sums_of_floats_drift_away(plane: Plane) -> None:
    """theopenco/llmgateway: costs as 32-bit floats, summed and taken from a decimal."""
    plane.provider.does(MODEL, *[answer(used=usage(1, 0)) for _ in range(7)])
    assert [_chat(plane).status_code for _ in range(7)] == [200] * 7
    assert plane.books().available == 1000 - 7 * Decimal("0.00001")


def test_a_long_stream_goes_on_when_the_money_is_gone(plane: Plane) -> None:
    """theopenco/llmgateway: charged at the end only. Here it was reserved before, and nobody else can have it."""
    build.team("small", access_groups=["*"], credits_allocated=1)
    plane.key = build.issued_key("small")["virtual_key"]
    build.alias("dear", f"openai/{MODEL}", pricing_input="0", pricing_output="10000", max_output_tokens=1000)

    with plane.in_flight(answer("one", used=usage(5, 40)), "dear", stream=True):
        other = plane.chat("dear")

    assert (other.status_code, _error(other)["type"]) == (429, "reserved")
    # No longer than what the credits carry, and the provider was told so.
    assert plane.provider.calls[0].body["max_tokens"] == 100
    assert plane.books("small").available == 1 - 40 * Decimal("0.01")


def test_usage_is_lost_when_the_table_fails_after_the_answer(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """#35531, theopenco/llmgateway: the provider has billed, the client sees a 500, nothing is recorded."""
    real = DynamoDB._post

    async def failing(self: DynamoDB, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if b"cn = cn + :one" in body:
            return 500, {"__type": "com.amazonaws#InternalServerError"}
        return await real(self, target, body)

    with monkeypatch.context() as patch:
        patch.setattr(DynamoDB, "_post", failing)
        assert _chat(plane).status_code == 200
    assert _swept(monkeypatch) == 1
    assert plane.record()["cost_usd"] == COST
