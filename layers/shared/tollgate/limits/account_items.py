"""How account settings stand on a team or an organization: flat, because every call reads them with the entity."""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import Any

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from tollgate.core import clock
from tollgate.limits.account import AccountSettings, LimitMode, RefillPeriod
from tollgate.table import keys
from tollgate.table.attributes import DecimalAttribute, DecimalListAttribute, IntegerAttribute


class AccountSettingsAttributes:
    """Mixed into the item of an entity that can have an account."""

    limit_mode = UnicodeAttribute(null=True)
    credit_limit = DecimalAttribute(null=True)
    auto_refill = BooleanAttribute(null=True)
    refill_amount = DecimalAttribute(null=True)
    refill_period = UnicodeAttribute(null=True)
    last_refill_at = UnicodeAttribute(null=True)
    next_refill_at = UnicodeAttribute(null=True)
    suspend_at_zero = BooleanAttribute(null=True)
    grace_period_hours = IntegerAttribute(null=True)
    grace_until = UnicodeAttribute(null=True)
    alert_at_percentage = DecimalListAttribute()


def settings_of(item: AccountSettingsAttributes) -> AccountSettings:
    """The settings of an item; defaults for one that was written before there were any."""
    return AccountSettings(
        limit_mode=LimitMode(item.limit_mode or LimitMode.HARD),
        credit_limit=item.credit_limit,
        auto_refill=bool(item.auto_refill),
        refill_amount=item.refill_amount,
        refill_period=RefillPeriod(item.refill_period) if item.refill_period else None,
        last_refill_at=_moment(item.last_refill_at),
        next_refill_at=_moment(item.next_refill_at),
        suspend_at_zero=bool(item.suspend_at_zero),
        grace_period_hours=item.grace_period_hours,
        grace_until=_moment(item.grace_until),
        alert_at_percentage=tuple(item.alert_at_percentage) if item.alert_at_percentage is not None else None,
    )


def attributes_of(settings: AccountSettings, uid: str) -> dict[str, Any]:
    """The attributes by name, None for those that are to be absent; ``uid`` chooses the queue."""
    due = settings.due_at
    return {
        "limit_mode": settings.limit_mode.value,
        "credit_limit": settings.credit_limit,
        "auto_refill": settings.auto_refill or None,
        "refill_amount": settings.refill_amount,
        "refill_period": settings.refill_period.value if settings.refill_period else None,
        "last_refill_at": _stored(settings.last_refill_at),
        "next_refill_at": _stored(settings.next_refill_at),
        "suspend_at_zero": settings.suspend_at_zero or None,
        "grace_period_hours": settings.grace_period_hours,
        "grace_until": _stored(settings.grace_until),
        "alert_at_percentage": list(settings.alert_at_percentage) if settings.alert_at_percentage is not None else None,
        "DUEPK": keys.refill(zlib.crc32(uid.encode()) % keys.REFILL_PARTITIONS) if due is not None else None,
        "DUESK": due_text(due) if due is not None else None,
    }


def due_text(moment: int) -> str:
    """Epoch seconds as text of fixed width, so that text order is time order."""
    return f"{moment:012d}"


def _moment(text: str | None) -> datetime | None:
    return clock.from_stored(text) if text else None


def _stored(moment: datetime | None) -> str | None:
    return clock.to_stored(moment) if moment is not None else None
