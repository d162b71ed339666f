"""An organization's budget in parts (Q-51): what a team's share counts."""

from __future__ import annotations

from decimal import Decimal

from tollgate.limits.model import Ceiling, Limits, Unit

SETTING = "allocated_budget"


def share_ceiling(share: Decimal, organization: Limits) -> Ceiling:
    """A team's share, counted with the team and not with the organization; USD in the organization's window."""
    return Ceiling(SETTING, Unit.SHARE, share, organization.budget_duration)
