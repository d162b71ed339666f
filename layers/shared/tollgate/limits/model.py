"""What may be limited: the Budget of Q-20 as domain objects. Knows no storage and no HTTP; the hot path uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from tollgate.limits.windows import DAY, MINUTE, Window, window_at


class Scope(StrEnum):
    """What a limit is on, in the native API's words (Q-20)."""

    PLATFORM = "platform"
    ORGANIZATION = "organization"
    TEAM = "team"
    USER = "user"
    KEY = "key"
    CUSTOMER = "customer"
    TAG = "tag"
    ORGANIZATION_MEMBER = "organization-member"
    TEAM_MEMBER = "team-member"
    # Has no limits; what its calls come to is counted as of any other scope.
    JOB = "job"


class Unit(StrEnum):
    """What a counter counts; the letter begins its name."""

    USD = "b"
    REQUESTS = "r"
    TOKENS = "t"
    CREDITS = "c"
    # USD of an organization's budget that are set apart for one team.
    SHARE = "a"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A number that the counter of a window may not pass.

    Attributes:
        setting: the name of the setting that says so, as callers know it: ``max_budget``, ``rpm_limit`` …
        size: USD, requests, tokens or credits in a window.
        model: the only alias that it counts; None for all.
        since: epoch seconds of when counting began or changed its window; None if nothing was ever uncounted. A window
            that began earlier is counted under a name of its own, which starts from what is known of the time before.
        carries: what the window before has left is added once (Q-51).
    """

    setting: str
    unit: Unit
    size: Decimal
    duration: str | None
    model: str | None = None
    since: int | None = None
    carries: bool = False

    @property
    def code(self) -> str:
        """The counter's name but for the window: a call remembers it, and its own time says the rest."""
        since = f"~{self.since}" if self.since is not None else ""
        model = f":{self.model}" if self.model is not None else ""
        return f"{self.unit}{self.duration or ''}{since}{model}"

    def window(self, moment: float) -> Window:
        return window_at(self.duration, moment)


def counter_name(code: str, moment: float) -> str:
    """The attribute that counts ``code`` in the window of ``moment``: ``b1mo@t3c8yo``, ``r1m@t5rxk0:gpt-4`` …

    A window that began before ``since`` has it in its name, so that it is never mistaken for one counted whole.
    """
    head, colon, model = code.partition(":")
    kind, _, since = head.partition("~")
    window = window_at(kind[1:] or None, moment)
    late = f"~{since}" if since and int(since) > window.start else ""
    return f"{kind}@{window.name}{late}{colon}{model}"


def window_of(name: str) -> Window:
    """The window that an attribute counts."""
    kind, _, rest = name.partition("@")
    start = int(rest.partition(":")[0].partition("~")[0], 36)
    return window_at(kind[1:] or None, start)


def counts(name: str) -> tuple[Unit, str | None]:
    """What an attribute counts, whatever its window: the unit, and the model if only one."""
    _, colon, model = name.partition(":")
    return Unit(name[0]), model if colon else None


def is_counter(name: str) -> bool:
    """Whether an attribute of a counter item is the counter of a window."""
    return "@" in name


def needs_seed(name: str) -> bool:
    """Whether a counter of that name has to begin with what was spent before it was counted."""
    return "~" in name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class ModelBudget:
    """A budget for one model: USD in a window."""

    max_budget: Decimal
    budget_duration: str | None = None
    since: int | None = None

    def begun(self, moment: int) -> ModelBudget:
        """The same, counted from ``moment`` on at the earliest."""
        return replace(self, since=max(self.since or 0, moment))


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that one scope can be limited by; None: not limited. 0 refuses everything (Q-13).

    ``budget_id`` names a shared row whose values count where the own ones are None (Q-52).
    """

    max_budget: Decimal | None = None
    soft_budget: Decimal | None = None
    budget_duration: str | None = None
    budget_since: int | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None
    tpd_limit: int | None = None
    max_parallel_requests: int | None = None
    model_max_budget: Mapping[str, ModelBudget] = field(default_factory=dict)
    model_rpm_limit: Mapping[str, int] = field(default_factory=dict)
    model_tpm_limit: Mapping[str, int] = field(default_factory=dict)
    allowed_models: tuple[str, ...] | None = None
    temp_budget_increase: Decimal | None = None
    temp_budget_expiry: int | None = None
    budget_id: str | None = None

    def budget_at(self, moment: float) -> Decimal | None:
        """``max_budget``, raised by the temporary increase until that expires."""
        if self.max_budget is None or self.temp_budget_increase is None:
            return self.max_budget
        if self.temp_budget_expiry is not None and moment >= self.temp_budget_expiry:
            return self.max_budget
        return self.max_budget + self.temp_budget_increase

    def budgets(self, model: str, moment: float) -> list[Ceiling]:
        """The ceilings in USD that a call of ``model`` is under."""
        found = []
        size = self.budget_at(moment)
        if size is not None:
            found.append(Ceiling("max_budget", Unit.USD, size, self.budget_duration, since=self.budget_since))
        elif self.soft_budget is not None:
            # It refuses nothing, but somebody wants to hear of it.
            found.append(Ceiling("soft_budget", Unit.USD, _BOUNDLESS, self.budget_duration, since=self.budget_since))
        own = self.model_max_budget.get(model)
        if own is not None:
            found.append(Ceiling("model_max_budget", Unit.USD, own.max_budget, own.budget_duration, model, own.since))
        return found

    def rates(self, model: str) -> list[Ceiling]:
        """The ceilings in requests and tokens that a call of ``model`` is under."""
        wanted = (
            ("rpm_limit", Unit.REQUESTS, self.rpm_limit, MINUTE, None),
            ("tpm_limit", Unit.TOKENS, self.tpm_limit, MINUTE, None),
            ("tpd_limit", Unit.TOKENS, self.tpd_limit, DAY, None),
            ("model_rpm_limit", Unit.REQUESTS, self.model_rpm_limit.get(model), MINUTE, model),
            ("model_tpm_limit", Unit.TOKENS, self.model_tpm_limit.get(model), MINUTE, model),
        )
        return [
            Ceiling(setting, unit, Decimal(size), duration, only)
            for setting, unit, size, duration, only in wanted
            if size is not None
        ]

    def over(self, row: Limits | None) -> Limits:
        """These limits with a shared row's where they say nothing."""
        if row is None:
            return self
        own = {name for name in _SHARED if getattr(self, name) in (None, {})}
        merged = replace(self, **{name: getattr(row, name) for name in own})
        if "model_max_budget" in own and self.budget_since is not None:
            # The row's counters never counted this scope before.
            attached = {model: budget.begun(self.budget_since) for model, budget in row.model_max_budget.items()}
            merged = replace(merged, model_max_budget=attached)
        since = max((moment for moment in (self.budget_since, row.budget_since) if moment is not None), default=None)
        return replace(merged, budget_since=since)

    @property
    def any(self) -> bool:
        """Whether anything has to be counted."""
        return self.soft_budget is not None or any(getattr(self, name) not in (None, {}) for name in _ENFORCED)


# More than anything ever costs.
_BOUNDLESS = Decimal(10**12)
_ENFORCED = (
    "max_budget",
    "tpm_limit",
    "rpm_limit",
    "tpd_limit",
    "max_parallel_requests",
    "model_max_budget",
    "model_rpm_limit",
    "model_tpm_limit",
)
_SHARED = (*_ENFORCED, "soft_budget", "budget_duration", "allowed_models")
NO_LIMITS = Limits()
