"""Money: exact, never rounded down, shown without exponents."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.core import money
from tollgate.core.json import dumps, loads

AMOUNTS = st.decimals(min_value=0, max_value=10**15, allow_nan=False, allow_infinity=False, places=18)


@given(AMOUNTS)
def test_quantising_rounds_up_by_less_than_a_quantum(amount: Decimal) -> None:
    quantised = money.quantise(amount)
    assert Decimal(0) <= quantised - amount < money.QUANTUM
    assert money.quantise(quantised) == quantised


@given(AMOUNTS, AMOUNTS)
def test_the_sum_of_parts_is_never_less_than_the_whole(one: Decimal, other: Decimal) -> None:
    assert money.quantise(one) + money.quantise(other) >= money.quantise(one + other)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("1E+3", "1000"),
        ("100", "100"),
        ("1.500", "1.5"),
        ("1.2E-5", "0.000012"),
        ("0", "0"),
        ("0E-12", "0"),
        ("-2.50", "-2.5"),
        ("123456789012345.123456789012", "123456789012345.123456789012"),
    ],
)
def test_plain_notation(amount: str, shown: str) -> None:
    assert money.plain(Decimal(amount)) == shown


@given(AMOUNTS)
def test_plain_notation_is_the_same_number(amount: Decimal) -> None:
    shown = money.plain(amount)
    assert Decimal(shown) == amount
    assert "E" not in shown.upper()


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [("1", "3", "0.3333"), ("2", "3", "0.6667"), ("0.00005", "1", "0"), ("0.00015", "1", "0.0002"), ("5", "0", None)],
)
def test_ratios_round_half_even_to_four_places(part: str, whole: str, expected: str | None) -> None:
    assert money.ratio(Decimal(part), Decimal(whole)) == (None if expected is None else Decimal(expected))


def test_json_numbers() -> None:
    assert money.to_json(Decimal("5.000")) == 5
    assert isinstance(money.to_json(Decimal("5.000")), int)
    assert money.to_json(Decimal("0.1")) == 0.1


@given(AMOUNTS)
def test_json_out_has_no_exponent_and_loses_nothing(amount: Decimal) -> None:
    text = dumps({"amount": amount})
    assert "e" not in text.replace('{"amount":', "").lower()
    assert Decimal(text.removeprefix('{"amount":').removesuffix("}")) == amount


@pytest.mark.parametrize("number", [1e-12, 1.5e-7, 1e300, 0.1, 5.0, -0.0])
def test_floats_are_written_without_an_exponent(number: float) -> None:
    text = dumps([number])
    assert "e" not in text.lower()
    assert [float(entry) for entry in json.loads(text)] == [number]


def test_json_in_keeps_fractions_exact() -> None:
    assert loads('{"a": 0.1, "b": 1, "c": [1e300]}') == {"a": Decimal("0.1"), "b": 1, "c": [Decimal("1e300")]}


NOT_JSON = ["NaN", "[Infinity]", "-Infinity", '"\\ud800"', "{", "", "[" * 100_000]
NOT_ANSWERABLE = ["1e309", "-1e999999999", "1e-400", "9" * 5000, "[" * 200 + "]" * 200]


@pytest.mark.parametrize("text", [*NOT_JSON, *NOT_ANSWERABLE], ids=lambda text: text[:12])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        loads(text)


@pytest.mark.parametrize("value", [10**30, -(2**63) - 1, 2**64, 10**300, "[" * 99 + "]" * 99])
def test_what_comes_in_goes_out(value: int | str) -> None:
    text = str(value)
    assert dumps(loads(text)) == text
