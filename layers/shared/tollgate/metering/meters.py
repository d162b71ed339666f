"""From the entities on a call's path to what the call is counted in and who pays for it (Q-06, Q-12, Q-51, Q-53)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tollgate.aws.dynamodb import Item
from tollgate.core import clock, ids
from tollgate.core.money import ZERO
from tollgate.limits import stored
from tollgate.limits.model import Ceiling, Limits, Scope, Unit
from tollgate.metering.allowances import Allowances
from tollgate.metering.attributes import decimal, flag, text, texts
from tollgate.metering.entitlement import Caller
from tollgate.metering.model import Account, Entitlement, Meter
from tollgate.models.access import NOTHING
from tollgate.table import keys

# How credits are counted where no team says otherwise.
_MODE = "job_based"
_CREDITS_PER_DOLLAR = Decimal(10)
_TOKENS_PER_CREDIT = 10_000
_REFILLS = {"daily": "1d", "weekly": "1w", "monthly": "1mo"}
MAX_TAGS = 10


@dataclass(frozen=True, slots=True)
class CommonLimits:
    """What the catalogue knows of limits that count for any call: the platform's, and those of tags (Q-53)."""

    platform: Item | None = None
    tags: Mapping[str, Item] = field(default_factory=dict)


def entitlement_of(
    caller: Caller,
    moment: float,
    *,
    customer_id: str | None = None,
    tags: Sequence[str] = (),
    shared: CommonLimits | None = None,
) -> Entitlement:
    """What a call at ``moment`` is entitled to and counted in; ``tags`` are the request's own."""
    if caller.key is None and caller.team is None:
        return Entitlement(caller.catalogue_version, customer_id=customer_id, tags=tuple(tags[:MAX_TAGS]))
    key, team, organization = caller.key, caller.team, caller.organization
    account = _account(team, organization)
    own = [tag for item in (key, team, organization) for tag in texts(item, "tags")]
    all_tags = tuple(dict.fromkeys([*own, *tags]))[:MAX_TAGS]
    return Entitlement(
        catalogue_version=caller.catalogue_version,
        key_id=text(key, "key_id"),
        default_model=text(team, "default_model"),
        customers_model=text(caller.customer, "default_model"),
        team_id=text(team, "team_id"),
        team_uid=text(team, "uid"),
        organization_id=text(organization, "organization_id"),
        organization_uid=text(organization, "uid"),
        user_id=text(key, "user_id"),
        customer_id=customer_id,
        tags=all_tags,
        levels=_levels(caller),
        aliases=_aliases(caller),
        allowances=Allowances.of(caller.user, caller.customer),
        account=account,
        meters=_Meters(caller, moment, account).all(all_tags, shared or CommonLimits()),
    )


def _levels(caller: Caller) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The lists of models that a call has to pass, in the order of the contract (Q-23)."""
    found = []
    for name, item in (
        ("key", caller.key),
        ("team", caller.team),
        ("user", caller.user),
        ("customer", caller.customer),
        ("organization", caller.organization),
    ):
        if text(item, "model_access") == "listed":
            entries = (*texts(item, "access_groups"), *texts(item, "models"))
            if name == "user" and caller.team is not None and entries == (NOTHING,):
                # He may call nothing by himself; what his teams may, he may there (contract litellm 2.6).
                continue
            found.append((name, entries))
    for name, item in (("team", caller.team_member), ("organization", caller.organization_member)):
        allowed = stored.of_item(item).allowed_models
        if allowed is None and name == "team" and item is not None:
            allowed = texts(caller.team, "default_member_models") or None
        if allowed is not None:
            found.append((f"{name}_member", allowed))
    return tuple(found)


def _aliases(caller: Caller) -> dict[str, tuple[str, str]]:
    """Own names for models with the level and the model; the key's count first, the organization's last."""
    found: dict[str, tuple[str, str]] = {}
    for level, item, name in (
        ("organization", caller.organization, "model_aliases"),
        ("team", caller.team, "model_aliases"),
        ("key", caller.key, "aliases"),
    ):
        own = json.loads(text(item, name) or "{}")
        found |= {alias: (level, model) for alias, model in own.items()}
    return found


def _account(team: Item | None, organization: Item | None) -> Account | None:
    """The one account that pays (Q-06), with the team's way of counting."""
    if team is None:
        payer = organization if flag(organization, "has_account") else None
    else:
        payer = {"team": team, "organization": organization}.get(text(team, "credits_source") or "")
    if payer is None:
        return None
    uid = text(payer, "uid") or ""
    mode = text(payer, "limit_mode") or "hard"
    period = text(payer, "refill_period")
    return Account(
        uid=uid,
        budget_mode=text(team, "budget_mode") or _MODE,
        credits_per_dollar=decimal(team, "credits_per_dollar") or _CREDITS_PER_DOLLAR,
        tokens_per_credit=int(decimal(team, "tokens_per_credit") or _TOKENS_PER_CREDIT),
        markup=decimal(team, "cost_markup_percentage") or ZERO,
        hard=mode == "hard",
        floored=mode == "soft" and flag(payer, "suspend_at_zero") and _grace_is_over(payer),
        credit_limit=None if mode == "unlimited" else decimal(payer, "credit_limit"),
        refill_duration=_REFILLS[period] if period else None,
    )


def _grace_is_over(payer: Item) -> bool:
    """Where a time of grace is set but has not begun, the account has not been empty yet."""
    until = text(payer, "grace_until")
    if until is None:
        return not decimal(payer, "grace_period_hours")
    return clock.from_stored(until) <= clock.utc_now()


class _Meters:
    """Collects the scopes of a call that count it: those with limits, and the one that pays."""

    def __init__(self, caller: Caller, moment: float, account: Account | None) -> None:
        self._caller = caller
        self._moment = moment
        self._account = account
        self._found: list[Meter] = []

    def all(self, tags: Sequence[str], shared: CommonLimits) -> tuple[Meter, ...]:
        caller = self._caller
        key_id, user_id = (text(caller.key, name) or "" for name in ("key_id", "user_id"))
        team_id = text(caller.team, "team_id") or ""
        organization_id = text(caller.organization, "organization_id") or ""
        limits = self._limits_of_member()
        self._add(Scope.TEAM_MEMBER, ids.member_id(team_id, user_id), caller.team_member, limits=limits)
        mask = text(caller.key, "mask") or ""
        self._add(Scope.KEY, key_id, caller.key, text(caller.key, "key_alias") or mask, mask=mask)
        self._add_team_and_organization(team_id, organization_id)
        self._add(Scope.ORGANIZATION_MEMBER, ids.member_id(organization_id, user_id), caller.organization_member)
        for tag in tags:
            self._add(Scope.TAG, tag, shared.tags.get(tag))
        self._add(Scope.USER, user_id, caller.user)
        self._add(Scope.CUSTOMER, text(caller.customer, "customer_id") or "", caller.customer)
        self._add(Scope.PLATFORM, keys.PLATFORM, shared.platform)
        return tuple(self._found)

    def _add_team_and_organization(self, team_id: str, organization_id: str) -> None:
        """A team with a share of the organization's budget counts that share, and leaves the rest alone (Q-51)."""
        team, organization = self._caller.team, self._caller.organization
        limits = self._limits(organization)
        carries = text(organization, "rollover") == "next"
        allocated = decimal(team, "allocated_budget")
        share = None
        if organization is not None and limits.max_budget is not None:
            duration, since = limits.budget_duration, limits.budget_since
            if allocated is not None:
                share = Ceiling("allocated_budget", Unit.SHARE, allocated, duration, carries=carries)
                limits = replace(limits, max_budget=None, temp_budget_increase=None)
            else:
                window = Ceiling("max_budget", Unit.USD, ZERO, duration, since=since).window(self._moment)
                limits = replace(limits, max_budget=_rest(organization, limits.max_budget or ZERO, window.name))
        self._add(Scope.TEAM, team_id, team, share=share)
        self._add(Scope.ORGANIZATION, organization_id, organization, limits=limits, carries=carries)

    def _add(  # noqa: PLR0913
        self,
        scope: Scope,
        scope_id: str,
        item: Item | None,
        label: str | None = None,
        *,
        mask: str = "",
        limits: Limits | None = None,
        share: Ceiling | None = None,
        carries: bool = False,
    ) -> None:
        if item is None:
            return
        limits = self._limits(item) if limits is None else limits
        uid = text(item, "uid") or keys.PLATFORM
        account = self._account if self._account is not None and self._account.uid == uid else None
        if not limits.any and account is None and share is None:
            return
        self._found.append(
            Meter(
                scope,
                scope_id,
                label or scope_id,
                uid,
                limits,
                self._identity(scope, scope_id),
                account,
                share,
                carries=carries,
                shards=int(decimal(item, "account_shards") or 1),
                items=int(decimal(item, "account_items") or 1),
                since=_created(item) if carries or share is not None else 0,
                mask=mask,
            )
        )

    def _limits(self, item: Item | None) -> Limits:
        own = stored.of_item(item)
        row = self._caller.budgets.get(own.budget_id) if own.budget_id else None
        return own.over(stored.of_item(row)) if row is not None else own

    def _limits_of_member(self) -> Limits:
        """His own, and what his team limits its members by where they say nothing."""
        own = self._limits(self._caller.team_member)
        row = self._caller.budgets.get(text(self._caller.team, "member_budget_id") or "")
        return own.over(stored.of_item(row)) if row is not None else own

    def _identity(self, scope: Scope, scope_id: str) -> dict[str, str]:
        """What the sweeper and the alerts must know of a scope when only its counter item is left."""
        caller = self._caller
        known: dict[str, str | None] = {}
        if scope in {Scope.KEY, Scope.TEAM, Scope.TEAM_MEMBER}:
            known |= {"team_id": text(caller.team, "team_id"), "team_uid": text(caller.team, "uid")}
        if scope not in {Scope.USER, Scope.CUSTOMER, Scope.TAG, Scope.PLATFORM}:
            known["organization_id"] = text(caller.organization, "organization_id")
            known["organization_uid"] = text(caller.organization, "uid")
        if scope in {Scope.USER, Scope.TEAM_MEMBER, Scope.ORGANIZATION_MEMBER}:
            known["user_id"] = text(caller.key, "user_id")
        if scope in {Scope.KEY, Scope.CUSTOMER}:
            known[f"{scope.value}_id"] = scope_id
        return {name: value for name, value in known.items() if value is not None}


def _rest(organization: Item, max_budget: Decimal, window: str) -> Decimal:
    """What the teams without a share may spend together: shares are not theirs, nor what was spent of former ones."""
    taken = decimal(organization, "allocated_total") or ZERO
    former = organization.get("spent_shares", {}).get("M", {}).get(window)
    return max(ZERO, max_budget - taken - (Decimal(former["N"]) if former else ZERO))


def _created(item: Item) -> float:
    created_at = text(item, "created_at")
    return clock.from_stored(created_at).timestamp() if created_at else 0
