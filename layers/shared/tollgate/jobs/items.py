"""How a job is stored: its record, the counter of its calls, and what it reads of their records."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pynamodb.attributes import Attribute, BooleanAttribute, UnicodeAttribute, VersionAttribute
from pynamodb.constants import MAP, NUMBER
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import RemoveAction, SetAction

from tollgate.credits.items import HoldsAttribute
from tollgate.jobs.model import Costs
from tollgate.table.attributes import DecimalAttribute, FreeFormAttribute, IntegerAttribute, TextListAttribute
from tollgate.table.base import Item


class CostsAttribute(Attribute[Costs]):
    """A map of exact numbers, under the names that answers have."""

    attr_type = MAP

    def serialize(self, value: Costs) -> dict[str, Any]:
        numbers = {
            "total_calls": value.total_calls,
            "successful_calls": value.successful_calls,
            "failed_calls": value.failed_calls,
            "total_tokens": value.total_tokens,
            "total_cost_usd": value.total_cost_usd,
            "avg_latency_ms": value.avg_latency_ms,
            "credits_remaining": value.credits_remaining,
        }
        return {name: {NUMBER: format(number, "f")} for name, number in numbers.items() if number is not None}

    def deserialize(self, value: dict[str, Any]) -> Costs:
        numbers = {name: Decimal(number[NUMBER]) for name, number in value.items()}
        return Costs(
            total_calls=int(numbers["total_calls"]),
            failed_calls=int(numbers["failed_calls"]),
            total_tokens=int(numbers["total_tokens"]),
            total_cost_usd=numbers["total_cost_usd"],
            avg_latency_ms=int(numbers["avg_latency_ms"]),
            credits_remaining=numbers.get("credits_remaining"),
        )

    def set(self, value: Any) -> SetAction | RemoveAction:
        # PynamoDB guesses how a map that is no dict is stored.
        return Path(self).set({MAP: self.serialize(value)})


class JobItem(Item):
    """``GSI1`` lists a team's jobs, ``GSI2`` those in a status; ``DUE`` has those that are open.

    The data plane starts it with its first call: status, ``started_at``, ``model_groups_used``.
    """

    job_id = UnicodeAttribute()
    team_id = UnicodeAttribute()
    team_uid = UnicodeAttribute()
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    user_id = UnicodeAttribute(null=True)
    # The key that created it.
    key_id = UnicodeAttribute(null=True)
    job_type = UnicodeAttribute()
    status = UnicodeAttribute()
    metadata = FreeFormAttribute()
    error_message = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    updated_at = UnicodeAttribute()
    started_at = UnicodeAttribute(null=True)
    completed_at = UnicodeAttribute(null=True)
    # Since when nothing has happened, where its team could not have done anything before.
    idle_since = UnicodeAttribute(null=True)
    model_groups_used = TextListAttribute()
    credit_applied = BooleanAttribute(default=False)
    credits_charged = DecimalAttribute(default=Decimal)
    unbilled_cost_usd = DecimalAttribute(default=Decimal)
    costs = CostsAttribute(null=True)
    version = VersionAttribute()


class JobCounterItem(Item):
    """The counter item of a job, which its calls write; here it is made, read and closed."""

    h = HoldsAttribute()
    us = DecimalAttribute()
    tk = IntegerAttribute()
    cn = IntegerAttribute()
    # Calls that failed, and milliseconds of those that did not.
    jf = IntegerAttribute()
    lm = IntegerAttribute()
    # Credits that the paying account ``ac`` holds for the job.
    pr = DecimalAttribute()
    ac = UnicodeAttribute(null=True)
    # Set when the job is over: how it ended. No call can be made in it any more.
    cl = UnicodeAttribute(null=True)
    scope = UnicodeAttribute()
    scope_id = UnicodeAttribute()
    job_id = UnicodeAttribute()
    job_type = UnicodeAttribute()
    team_id = UnicodeAttribute()
    team_uid = UnicodeAttribute()
    organization_id = UnicodeAttribute(null=True)
    organization_uid = UnicodeAttribute(null=True)
    user_id = UnicodeAttribute(null=True)


class JobCallItem(Item):
    """A call's record, as a job shows it. ``GSI2`` lists the calls of a job."""

    call_id = UnicodeAttribute()
    purpose = UnicodeAttribute(null=True)
    call_metadata = FreeFormAttribute(null=True)
    requested_model = UnicodeAttribute()
    model_used = UnicodeAttribute(null=True)
    provider = UnicodeAttribute(null=True)
    outcome = UnicodeAttribute()
    error = UnicodeAttribute(null=True)
    started_at = UnicodeAttribute()
    input_tokens = IntegerAttribute()
    output_tokens = IntegerAttribute()
    cost_usd = DecimalAttribute()
    provider_cost_usd = DecimalAttribute(null=True)
    latency_ms = IntegerAttribute(null=True)
