"""Prices of targets: catalogue, override, zero, none (Q-60), tiers and their bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices import Usage, calc_price, data_snapshot
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, StartDateConstraint, Tier, TieredPrices
from hypothesis import given
from hypothesis import strategies as st

from tollgate.core.money import QUANTUM
from tollgate.models import prices
from tollgate.models.prices import PriceSource, TargetPrice, resolve

MILLION = Decimal(1_000_000)
# Prices of the bundled catalogue; whoever raises its version sees here what changes for customers.
PLAIN = "openai/gpt-4o"
TIERED = "gemini/gemini-2.5-pro"
counts = st.integers(0, 2_000_000)


@pytest.mark.parametrize(
    ("litellm_model", "per_million"),
    [
        (PLAIN, ("2.5", "1.25", "10")),
        ("openai/gpt-4", ("30", "30", "60")),
        ("azure/gpt-4o", ("2.5", "1.25", "10")),
        ("custom/gpt-4o", ("2.5", "1.25", "10")),
        ("custom/acme/gpt-4o", ("2.5", "1.25", "10")),
        ("openai/text-embedding-3-small", ("0.02", "0.02", "0")),
        ("bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0", ("3", "0.3", "15")),
        ("fireworks/accounts/fireworks/models/llama-v3p1-8b-instruct", ("0.2", "0.2", "0.2")),
    ],
)
def test_catalogue(litellm_model: str, per_million: tuple[str, str, str]) -> None:
    price = resolve(litellm_model, {})
    assert (price.input * MILLION, price.cached_input * MILLION, price.output * MILLION) == tuple(
        Decimal(number) for number in per_million
    )
    assert price.source is PriceSource.CATALOGUE
    assert not price.changes
    assert price.version == f"genai-prices@{genai_prices.__version__}"
    assert price.schedule is None


def test_known_limits() -> None:
    assert resolve(PLAIN, {}).context_window == 128_000
    assert resolve(PLAIN, {}).max_output_tokens is None


@pytest.mark.parametrize("litellm_model", ["openai/no-such-model", "custom/llama-of-mine", "alibaba/qwen-of-mine"])
def test_unknown_costs_an_explicit_nothing(litellm_model: str) -> None:
    price = resolve(litellm_model, {})
    assert (price.source, price.version) == (PriceSource.NONE, "none")
    assert price.cost(10**6, 0, 10**6) == 0


def test_what_is_served_here_is_free() -> None:
    assert resolve("local/echo", {}).source is PriceSource.ZERO


@pytest.mark.parametrize(
    "overrides",
    [{"pricing_input": "0", "pricing_output": "0.00"}, {"pricing_input": Decimal(0), "pricing_output": Decimal(0)}],
)
def test_zero_on_purpose(overrides: dict[str, str | Decimal]) -> None:
    for model in (PLAIN, TIERED, "custom/llama-of-mine"):
        price = resolve(model, overrides)
        assert price.source is PriceSource.ZERO
        assert price.cost(300_000, 5, 10**6) == 0
        assert price.dearest() == (0, 0)


def test_override_in_part_leaves_the_rest_to_the_catalogue() -> None:
    price = resolve(PLAIN, {"pricing_output": "4", "pricing_input": None})
    assert price.source is PriceSource.OVERRIDE
    assert price.cost(1_000_000, 0, 1_000_000) == Decimal("6.5")
    assert price.context_window == 128_000


def test_cached_input_follows_an_input_price_that_was_set() -> None:
    price = resolve(PLAIN, {"pricing_input": "1"})
    assert price.cost(1_000_000, 400_000, 0) == 1
    price = resolve(PLAIN, {"pricing_input": "1", "pricing_cached_input": "0.5"})
    assert price.cost(1_000_000, 400_000, 0) == Decimal("0.8")


def test_version_of_an_override_is_its_content() -> None:
    one = resolve(PLAIN, {"pricing_input": "1"}).version
    assert one.startswith("override:")
    assert len(one) == len("override:") + 8
    assert resolve(PLAIN, {"pricing_input": Decimal("1.00")}).version == one
    assert resolve(PLAIN, {"pricing_input": "2"}).version != one


def test_tiers() -> None:
    price = resolve(TIERED, {})
    assert price.schedule is not None
    assert price.cost(200_000, 0, 1_000) == Decimal("0.26")
    assert price.cost(200_001, 0, 1_000) == Decimal("0.5150025")
    assert price.dearest() == (Decimal("0.0000025"), Decimal("0.000015"))


def test_overriding_one_price_of_a_tiered_model_keeps_the_other_tiers() -> None:
    price = resolve(TIERED, {"pricing_input": "1"})
    assert price.cost(300_000, 100_000, 1_000) == Decimal("0.315")
    assert price.dearest() == (Decimal("0.000001"), Decimal("0.000015"))


@given(counts, counts, counts)
def test_cost_is_what_genai_prices_says_to_the_quantum(fresh: int, cached: int, output: int) -> None:
    for name, provider in (("gpt-4o", "openai"), ("gemini-2.5-pro", "google"), ("gpt-4", "openai")):
        ours = resolve(f"{'gemini' if provider == 'google' else provider}/{name}", {})
        usage = Usage(input_tokens=fresh + cached, cache_read_tokens=cached, output_tokens=output)
        theirs = calc_price(usage, name, provider_id=provider).total_price
        assert 0 <= ours.cost(fresh + cached, cached, output) - theirs < QUANTUM


@given(counts, counts, counts)
def test_dearest_is_a_bound(fresh: int, cached: int, output: int) -> None:
    for model in (PLAIN, TIERED, "openai/gpt-4"):
        price = resolve(model, {})
        dear_input, dear_output = price.dearest()
        assert (
            price.cost(fresh + cached, cached, output) <= (fresh + cached) * dear_input + output * dear_output + QUANTUM
        )


def test_cost_is_rounded_up_to_the_quantum() -> None:
    price = TargetPrice(Decimal("1e-13"), Decimal(0), Decimal(0), PriceSource.OVERRIDE, "override:x")
    assert price.cost(1, 0, 0) == Decimal("1e-12")


@pytest.fixture
def model_that_changes() -> ModelInfo:
    """A model whose price has a date, a tier and a part per request."""
    late = ModelPrice(
        input_mtok=TieredPrices(base=Decimal(4), tiers=[Tier(start=10, price=Decimal(8))]),
        output_mtok=Decimal(6),
        requests_kcount=Decimal(5),
    )
    return ModelInfo(
        id="changing",
        match=data_snapshot.get_snapshot().providers[0].models[0].match,
        prices=[
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(2), output_mtok=Decimal(3))),
            ConditionalPrice(prices=late, constraint=StartDateConstraint(date(2026, 6, 1))),
        ],
    )


def test_price_of_a_date(model_that_changes: ModelInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "find", lambda provider, name: model_that_changes)
    early = resolve("custom/changing", {}, datetime(2026, 5, 31, tzinfo=UTC))
    late = resolve("custom/changing", {}, datetime(2026, 6, 1, tzinfo=UTC))
    assert early.changes
    assert early.cost(1_000_000, 0, 0) == 2
    assert late.per_call == Decimal("0.005")
    assert late.cost(10, 0, 0) == Decimal("0.00504")
    assert late.cost(11, 0, 0) == Decimal("0.005088")


def test_a_model_that_is_not_priced_by_tokens_is_unknown() -> None:
    assert prices.find("openai", "whisper-1") is None
    assert resolve("openai/whisper-1", {}).source is PriceSource.NONE


def test_the_price_catalogue_is_not_imported_before_a_price_is_asked_for() -> None:
    code = "import sys, tollgate.models.service, tollgate.models.groups; sys.exit('genai_prices' in sys.modules)"
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=os.environ | path)
