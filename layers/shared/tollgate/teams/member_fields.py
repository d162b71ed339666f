"""What a team says of members who have nothing of their own, as fields of requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from tollgate.core.durations import later
from tollgate.core.fields import Alias, RequestModel
from tollgate.limits.fields import MAX_ALLOWED_MODELS, Count, Duration, Usd


def _distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _key_duration(value: str) -> str:
    later(datetime.now(UTC), value)
    return value


KeyDuration = Annotated[
    str,
    StringConstraints(max_length=11, pattern=r"^[0-9]+(s|m|h|d|w|mo)$"),
    AfterValidator(_key_duration),
    Field(examples=["30d"]),
]
MemberModels = Annotated[list[Alias], Field(max_length=MAX_ALLOWED_MODELS), AfterValidator(_distinct)]


class MemberLimits(RequestModel):
    """What members are limited by who have no limits of their own; only what is sent changes, null clears. USD."""

    max_budget: Usd | None = None
    budget_duration: Duration | None = None
    rpm_limit: Count | None = None
    tpm_limit: Count | None = None

    def limits_sent(self) -> dict[str, Any]:
        """The fields that were sent, as ``Limits`` has them."""
        return {name: getattr(self, name) for name in self.model_fields_set}
