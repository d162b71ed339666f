"""How an account refuses, refills and warns (Q-06, section 7 Account); teams and organizations each have such settings.

Knows no storage and no HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tollgate.core.errors import InvalidRequestError
from tollgate.core.money import ZERO
from tollgate.limits.windows import Window, window_at


class LimitMode(StrEnum):
    """What an empty account does: refuse, go on and count the overage, or nothing at all (contract 3.3)."""

    HARD = "hard"
    SOFT = "soft"
    UNLIMITED = "unlimited"


class RefillPeriod(StrEnum):
    """The clock's day, week or month, in UTC (Q-36)."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    @property
    def duration(self) -> str:
        """The same as the window of a counter."""
        return {"daily": "1d", "weekly": "1w", "monthly": "1mo"}[self.value]

    def window(self, moment: datetime) -> Window:
        return window_at(self.duration, moment.timestamp())


class CreditsSource(StrEnum):
    """Whose account pays for a team's calls (Q-06)."""

    TEAM = "team"
    ORGANIZATION = "organization"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """The settings of one account. What the platform sets, and what follows from time and balance.

    Attributes:
        credit_limit: the most that may be used in a refill period; without a period, ever.
        refill_amount: credits that ``auto_refill`` adds when a period begins.
        last_refill_at: when it last did.
        next_refill_at: when it will, None without ``auto_refill``.
        suspend_at_zero: whether a soft account that is used up refuses, after the grace period if there is one.
        grace_period_hours: how long it may go on from the moment it was found used up; None: not at all.
        grace_until: set once it was found used up, until there are credits again.
        alert_at_percentage: percentages of the allocated credits; None: the platform's thresholds (Q-39).
    """

    limit_mode: LimitMode = LimitMode.HARD
    credit_limit: Decimal | None = None
    auto_refill: bool = False
    refill_amount: Decimal | None = None
    refill_period: RefillPeriod | None = None
    last_refill_at: datetime | None = None
    next_refill_at: datetime | None = None
    suspend_at_zero: bool = False
    grace_period_hours: int | None = None
    grace_until: datetime | None = None
    alert_at_percentage: tuple[Decimal, ...] | None = None

    @property
    def watched(self) -> bool:
        """Whether somebody has to look at the balance: a grace period begins when it is used up."""
        return self.limit_mode is LimitMode.SOFT and self.suspend_at_zero and self.grace_period_hours is not None

    @property
    def due_at(self) -> int | None:
        """Epoch seconds from which the schedule has to look at the account; None: never."""
        if self.watched:
            return 0
        return int(self.next_refill_at.timestamp()) if self.next_refill_at is not None else None

    def suspended(self, remaining: Decimal, now: datetime) -> bool:
        """Whether ``suspend_at_zero`` refuses calls while ``remaining`` credits are left."""
        if self.limit_mode is not LimitMode.SOFT or not self.suspend_at_zero or remaining > ZERO:
            return False
        if self.grace_period_hours is None:
            return True
        return self.grace_until is not None and now >= self.grace_until

    def refilled(self, now: datetime) -> AccountSettings:
        """After the refill of the period of ``now``."""
        return replace(self, last_refill_at=now, next_refill_at=_next_refill(self, now))

    def graced(self, remaining: Decimal, now: datetime) -> AccountSettings:
        """With a grace period that begins when the account is used up and is forgotten when it is not."""
        if remaining > ZERO:
            return replace(self, grace_until=None)
        if self.grace_until is not None or self.grace_period_hours is None:
            return self
        return replace(self, grace_until=now + timedelta(hours=self.grace_period_hours))

    def changed(self, sent: dict[str, Any], now: datetime) -> AccountSettings:
        """With the fields that were sent; null puts one back to its default (Q-25).

        The first automatic refill comes with the next period, so switching it off and on never refills twice.
        Raises InvalidRequestError for a refill without amount or period.
        """
        if not sent:
            return self
        values = {name: getattr(_DEFAULTS, name) if value is None else value for name, value in sent.items()}
        if values.get("alert_at_percentage") is not None:
            values["alert_at_percentage"] = tuple(values["alert_at_percentage"])
        new = replace(self, **values)
        for name in ("refill_amount", "refill_period"):
            if new.auto_refill and getattr(new, name) is None:
                raise InvalidRequestError(f"auto_refill needs {name}", param=name)
        if not new.auto_refill:
            new = replace(new, next_refill_at=None)
        elif new.next_refill_at is None or new.refill_period is not self.refill_period:
            new = replace(new, next_refill_at=_next_refill(new, now))
        return new if new.watched else replace(new, grace_until=None)


def _next_refill(settings: AccountSettings, now: datetime) -> datetime | None:
    end = settings.refill_period.window(now).end if settings.refill_period is not None else None
    return datetime.fromtimestamp(end, UTC) if end is not None else None


_DEFAULTS = AccountSettings()
