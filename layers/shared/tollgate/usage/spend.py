"""What a scope spent, for the admin plane: the same buckets that the hot path sums (``layout.spend_queries``)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain

from tollgate.limits.model import Scope
from tollgate.table import keys
from tollgate.usage.figures import text
from tollgate.usage.layout import WITHIN, places_of, sum_spend
from tollgate.usage.reading import Range, read


def spent(scope: Scope, scope_id: str, first_day: date, within: str | None = None, model: str | None = None) -> Decimal:
    """Client cost in USD since a day, that day included.

    ``scope_id`` is what call records name: the uid of a team or an organization, else ``key_id``, ``user_id``,
    ``customer_id`` or the tag; of a member the ``user_id``, with the uid of the team or organization as ``within``.
    Only the calls of one alias count if ``model`` is given. At most some seconds old (Q-47).
    """
    first, last = keys.usage_day(str(first_day)), keys.usage_days_end(str(datetime.now(UTC).date()))
    places = [Range(partition, first, last, index) for partition, index in places_of(scope, scope_id)]
    found = chain.from_iterable(read(places))
    return sum_spend((item for item in found if scope not in WITHIN or text(item, WITHIN[scope]) == within), model)
