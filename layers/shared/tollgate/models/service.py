"""Use cases of the model catalogue. Knows no HTTP and no storage."""

from __future__ import annotations

from tollgate.models import repository
from tollgate.models.access import EVERYTHING
from tollgate.models.builtin import BUILTIN_GROUPS


def access_group_exists(names: list[str]) -> list[str]:
    """The names that are no access group, in the order given; builtin groups and ``*`` are known (Q-44)."""
    open_names = {name for name in names if name not in BUILTIN_GROUPS and name not in EVERYTHING}
    known = repository.stored_groups(open_names) if open_names else set()
    return [name for name in dict.fromkeys(names) if name in open_names and name not in known]
