"""Account settings in requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, StrictBool

from tollgate.auth.policy import Action, Owner, authorize
from tollgate.auth.principal import Principal
from tollgate.core.fields import (
    Amount,
    CreditAmount,
    CreditCeiling,
    Percentage,
    RequestModel,
    ResponseModel,
    Timestamp,
    not_a_bool,
)
from tollgate.limits.account import AccountSettings, CreditsSource, LimitMode, RefillPeriod

# Each carries about 500 calls/s; all of them are written in one transaction.
AccountShards = Annotated[int, BeforeValidator(not_a_bool), Field(strict=True, ge=1, le=16)]
Hours = Annotated[int, BeforeValidator(not_a_bool), Field(strict=True, ge=1, le=8760)]


class AccountFields(BaseModel):
    """Of a request: only the fields that are sent change, null puts one back to its default (Q-25)."""

    limit_mode: LimitMode | None = None
    credit_limit: CreditCeiling | None = None
    auto_refill: StrictBool | None = None
    refill_amount: CreditAmount | None = None
    refill_period: RefillPeriod | None = None
    suspend_at_zero: StrictBool | None = None
    grace_period_hours: Hours | None = None
    alert_at_percentage: Annotated[list[Percentage] | None, Field(min_length=1, max_length=20)] = None


ACCOUNT_FIELDS = frozenset(AccountFields.model_fields)


class TeamAccountFields(AccountFields):
    """The same of a team, which may also leave paying to its organization (Q-06)."""

    credits_source: CreditsSource | None = None


class UpdateAccountSettings(AccountFields, RequestModel):
    """Body of the settings' own endpoint."""


class AccountSettingsAnswer(ResponseModel):
    """What answers about an account say of its settings."""

    limit_mode: LimitMode
    credit_limit: Amount | None
    auto_refill: bool
    refill_amount: Amount | None
    refill_period: RefillPeriod | None
    last_refill_at: Timestamp | None
    next_refill_at: Timestamp | None
    suspend_at_zero: bool
    grace_period_hours: int | None
    grace_until: Timestamp | None
    alert_at_percentage: list[Amount] | None


def shown(settings: AccountSettings) -> dict[str, Any]:
    """The fields of ``AccountSettingsAnswer``."""
    names = AccountSettingsAnswer.model_fields
    return {name: getattr(settings, name) for name in names} | {
        "alert_at_percentage": list(settings.alert_at_percentage) if settings.alert_at_percentage is not None else None
    }


def changed_settings(
    caller: Principal, request: AccountFields, owner: Owner, current: AccountSettings, now: datetime
) -> AccountSettings:
    """``current`` with what a request says of it; only platform roles may say anything (Q-08).

    Raises ForbiddenError for others, InvalidRequestError for settings that do not fit each other.
    """
    sent = request.model_dump(include=set(ACCOUNT_FIELDS), exclude_unset=True)
    if sent:
        authorize(caller, Action.CREDITS_CONFIGURE, owner)
    return current.changed(sent, now)
