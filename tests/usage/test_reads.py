"""Reading usage costs the buckets that are asked for, never the calls in them."""

from __future__ import annotations

import pytest

from tests.bench import usage

SIZES = (1_000, 10_000)


@pytest.mark.engine
def test_a_month_costs_the_same_with_ten_times_the_calls() -> None:
    for question, readings in usage.months(SIZES).items():
        few, many = (readings[size] for size in SIZES)
        # One more digit in every figure may make the items a few bytes longer.
        assert many.units <= few.units * 1.1, question
        assert many.calls >= few.calls * 9, question
        assert many.milliseconds < 250, question
