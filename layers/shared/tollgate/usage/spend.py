"""What a scope spent, for the admin plane: the same buckets that the hot path sums (``layout.spend_queries``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain

from tollgate.limits.model import Scope
from tollgate.table import keys
from tollgate.usage.figures import Image, text
from tollgate.usage.layout import WITHIN, places_of, sum_spend
from tollgate.usage.reading import Range, read


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a scope since ``first_day``, that day included.

    ``scope_id`` is what call records name: the uid of a team or an organization, else ``key_id``, ``user_id``,
    ``customer_id`` or the tag; of a member the ``user_id``, with the uid of the team or organization as ``within``.
    Only the calls of one alias count if ``model`` is given.
    """

    scope: Scope
    scope_id: str
    first_day: date
    within: str | None = None
    model: str | None = None

    def ranges(self, today: date) -> list[Range]:
        """Where its buckets lie."""
        first, last = keys.usage_day(str(self.first_day)), keys.usage_days_end(str(today))
        return [Range(partition, first, last, index) for partition, index in places_of(self.scope, self.scope_id)]

    def sum(self, found: Sequence[Sequence[Image]]) -> Decimal:
        """USD of the buckets in its ranges."""
        items = chain.from_iterable(found)
        attribute = WITHIN.get(self.scope)
        return sum_spend(
            (item for item in items if attribute is None or text(item, attribute) == self.within), self.model
        )


def spent(spans: Sequence[Span]) -> list[Decimal]:
    """Client cost in USD of each, read side by side. At most some seconds old (Q-47)."""
    today = datetime.now(UTC).date()
    wanted = [span.ranges(today) for span in spans]
    found = iter(read([one for ranges in wanted for one in ranges]))
    return [span.sum([next(found) for _ in ranges]) for span, ranges in zip(spans, wanted, strict=True)]
