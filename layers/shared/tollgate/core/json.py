"""JSON in and out with exact numbers (Q-35): decimals in, plain notation without exponents out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from tollgate.core.money import plain

# orjson writes at most 254 levels; an answer puts a body some levels deeper.
_MAX_DEPTH = 100
_MAX_EXPONENT = 308
# Integers beyond this are not orjson's.
_LARGEST = 2**63


def dumps(value: Any) -> str:
    """``value`` as JSON; floats and decimals are written without an exponent."""
    return orjson.dumps(_exact(value), option=orjson.OPT_NON_STR_KEYS).decode()


def loads(text: str) -> Any:
    """Parses JSON; fractions become ``Decimal``.

    Raises JSONDecodeError for what is not JSON or not text, for numbers beyond a double's range and for what is nested
    deeper than anybody reads: all of it is legal, and none of it could be answered again.
    """
    try:
        value = json.loads(text, parse_float=_fraction, parse_int=_whole, parse_constant=_reject)
        if text.count("[") + text.count("{") > _MAX_DEPTH and _deeper_than(value, _MAX_DEPTH):
            raise json.JSONDecodeError("nested too deeply", "", 0)
        if "\\u" in text:
            # A lone surrogate is legal JSON, but no text: nothing behind us could store or send it.
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except (RecursionError, UnicodeEncodeError) as error:
        raise json.JSONDecodeError(str(error)[:80], "", 0) from error
    return value


def _reject(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is not JSON", "", 0)


def _fraction(digits: str) -> Decimal:
    number = Decimal(digits)
    if number and abs(number.adjusted()) > _MAX_EXPONENT:
        raise json.JSONDecodeError("a number is out of range", "", 0)
    return number


def _whole(digits: str) -> int:
    if len(digits) > _MAX_EXPONENT:
        raise json.JSONDecodeError("a number is out of range", "", 0)
    return int(digits)


def _deeper_than(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    entries = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(entry, levels - 1) for entry in entries)


def _exact(value: Any) -> Any:
    if type(value) is int and not -_LARGEST <= value < _LARGEST:
        return orjson.Fragment(str(value))
    if isinstance(value, Decimal):
        return orjson.Fragment(plain(value))
    if isinstance(value, float):
        return orjson.Fragment(plain(Decimal(repr(value))))
    if isinstance(value, dict):
        return {name: _exact(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(entry) for entry in value]
    return value
