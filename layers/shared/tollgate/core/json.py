"""JSON in and out with exact numbers (Q-35): decimals in, plain notation without exponents out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from tollgate.core.money import plain


def dumps(value: Any) -> str:
    """``value`` as JSON; floats and decimals are written without an exponent."""
    return orjson.dumps(_exact(value), option=orjson.OPT_NON_STR_KEYS).decode()


def loads(text: str) -> Any:
    """Parses JSON; fractions become ``Decimal``. Raises JSONDecodeError for what is not JSON or not text."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=lambda name: _reject(name, text))
        if "\\u" in text:
            # A lone surrogate is legal JSON, but no text: nothing behind us could store or send it.
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except (RecursionError, UnicodeEncodeError) as error:
        raise json.JSONDecodeError(str(error)[:80], "", 0) from error
    return value


def _reject(name: str, text: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is not JSON", text, 0)


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(plain(value))
    if isinstance(value, float):
        return orjson.Fragment(plain(Decimal(repr(value))))
    if isinstance(value, dict):
        return {name: _exact(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(entry) for entry in value]
    return value
