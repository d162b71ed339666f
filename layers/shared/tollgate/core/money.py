"""Money and credits: ``Decimal`` only, quantised to 10^-12 upwards, never float.

USD amounts are client cost unless a name says ``provider``. One quantum is a millionth of a millionth of a dollar
(or credit); rounding up means that neither a reservation nor a charge is ever smaller than what it stands for.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal

QUANTUM = Decimal("1e-12")
ZERO = Decimal(0)
# 38 digits are what a DynamoDB number holds.
_CONTEXT = Context(prec=38)
# Holds every number that JSON brings in.
_WIDE = Context(prec=400)


def quantise(amount: Decimal) -> Decimal:
    """``amount`` rounded up to the quantum, without trailing zeros."""
    exact = amount.quantize(QUANTUM, rounding=ROUND_CEILING, context=_CONTEXT)
    return strip(exact)


def strip(amount: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent."""
    plain = amount.normalize(_CONTEXT)
    exponent = plain.as_tuple().exponent
    return plain.quantize(Decimal(1), context=_WIDE) if isinstance(exponent, int) and exponent > 0 else plain


def ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    """``part / whole`` rounded half-even to 4 places; None if ``whole`` is 0 (Q-35, Q-19)."""
    if not whole:
        return None
    return strip((part / whole).quantize(Decimal("0.0001"), rounding=ROUND_HALF_EVEN))


def plain(amount: Decimal) -> str:
    """The number in plain notation, as messages and headers show it: ``0.000012``, never ``1.2E-5``."""
    return format(strip(amount), "f")


def to_json(amount: Decimal) -> int | float:
    """A JSON number: integral values without a point, at most 17 significant digits otherwise (Q-35)."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)
